"""The KFP face of validate."""

from kfp import dsl

from components import container_images


@dsl.component(base_image=container_images.STEPS, install_kfp_package=False)
def validate(
    fleet: str,
    split: str,
    metrics: dsl.Output[dsl.Metrics],
    page: dsl.Output[dsl.HTML],
    near_duplicate_distance: int = 8,
    near_duplicate_similarity: float = 0.9,
) -> str:
    """Judge the photos and labels: which skills may train, and what is missing.

    Args:
        fleet: The fleet, as JSON.
        split: Key of the result of split.
        near_duplicate_distance: Maximum of bits in which the perceptual hashes of near duplicates differ, 0 to 16.
        near_duplicate_similarity: Minimum of the correlation of near duplicates, without brightness, in (0, 1].
        metrics: Numbers of skills that may train, and of findings.
        page: The findings, with pictures.

    Returns:
        Key of the result.
    """
    from coachworks.task import run_task
    from components.validate.dashboard import show

    near = {
        "near_duplicate_distance": near_duplicate_distance,
        "near_duplicate_similarity": near_duplicate_similarity,
    }
    task = run_task("validate", fleet, split, **near)
    show(task, metrics, page)
    return task.result.key
