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
    from coachworks.task import run_task

    return run_task("ingest", fleet, workers=workers).key
