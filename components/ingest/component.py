"""The KFP face of ingest."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.STEPS, install_kfp_package=False)
def ingest(fleet: str, workers: int = 0) -> str:
    """Take in the photos and tables that the fleet file names.

    Args:
        fleet: The fleet, as JSON.
        workers: Threads that read and decode photos; 0 takes one per core.

    Returns:
        Key of the result.
    """
    from coachworks.context import step_context
    from coachworks.fleet.model import Fleet
    from coachworks.store import open_store
    from components.ingest.config import IngestConfig
    from components.ingest.step import ingest as step

    located = Fleet.from_json(fleet)
    with step_context(open_store(located.spec.store), "ingest") as context:
        return step(located, config=IngestConfig(workers=workers), context=context).key
