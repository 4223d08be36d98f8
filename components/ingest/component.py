"""The KFP face of ingest."""

from kfp import dsl

from components import container_images


@dsl.component(base_image=container_images.STEPS, install_kfp_package=False)
def ingest(fleet: str, metrics: dsl.Output[dsl.Metrics], ingested: str = "", workers: int = 0) -> str:
    """Ingest the photos and tables that the fleet file names.

    Args:
        fleet: The fleet, as JSON.
        metrics: Numbers of ingested and rejected photos.
        ingested: Key of a result of ingest that was made elsewhere; it is used in place of the sources.
        workers: Threads that read photos; 0 takes one per core, or four with a bucket at either end.

    Returns:
        Key of the result.
    """
    from coachworks.task import run_task
    from components.dashboard import show_numbers
    from components.ingest.dashboard import numbers

    task = run_task("ingest", fleet, ingested=ingested, workers=workers)
    show_numbers(task.result, numbers, metrics)
    return task.result.key
