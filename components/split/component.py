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
    from coachworks.task import run_task

    return run_task("split", fleet, ingest).key
