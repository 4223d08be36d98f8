"""The KFP face of split."""

from kfp import dsl

from components import container_images


@dsl.component(base_image=container_images.STEPS, install_kfp_package=False)
def split(fleet: str, ingest: str, metrics: dsl.Output[dsl.Metrics]) -> str:
    """Give each set of photos to train, validation or test.

    Args:
        fleet: The fleet, as JSON.
        ingest: Key of the result of ingest.
        metrics: Photos and sets of each split.

    Returns:
        Key of the result.
    """
    from coachworks.task import run_task
    from components.dashboard import show_numbers
    from components.split.dashboard import numbers

    task = run_task("split", fleet, ingest)
    show_numbers(task.result, numbers, metrics)
    return task.result.key
