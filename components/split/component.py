"""The KFP face of split."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.STEPS, install_kfp_package=False)
def split(fleet: str, ingest: str) -> str:
    """Give each set of photos to train, validation or test.

    Args:
        fleet: The fleet, as JSON.
        ingest: Key of the result of ingest.

    Returns:
        Key of the result.
    """
    from coachworks.context import step_context
    from coachworks.fleet.model import Fleet
    from coachworks.store import open_store
    from components.split.step import split as step

    located = Fleet.from_json(fleet)
    with step_context(open_store(located.spec.store), "split") as context:
        return step(located, ingest, context=context).key
