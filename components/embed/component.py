"""The KFP face of embed."""

from kfp import dsl

from components import container_images


@dsl.component(base_image=container_images.STEPS, install_kfp_package=False)
def embed(
    fleet: str,
    augment: str,
    metrics: dsl.Output[dsl.Metrics],
    batch_size: int = 4,
    workers: int = 0,
    feature_groups: str = "auto",
    study_photos: int = 100,
) -> str:
    """Compute the backbone's features of the photos and their augmented views, each once.

    Args:
        fleet: The fleet, as JSON.
        augment: Key of the result of augment.
        metrics: Features computed and reused, and how fast.
        batch_size: Photos per pass of the backbone, in [1, 256].
        workers: Processes that decode and compute; 0: one per processor core.
        feature_groups: Groups of numbers to keep of the backbone's pass: `auto`, as many as fit 30 KB per photo and
            view; `all`; or names with commas between them, such as `last,blocks-mean`.
        study_photos: Photos on which the policy's transforms are studied; 0: none.

    Returns:
        Key of the result.
    """
    from coachworks.task import run_task
    from components.dashboard import show_numbers
    from components.embed.dashboard import numbers

    task = run_task(
        "embed",
        fleet,
        augment,
        batch_size=batch_size,
        workers=workers,
        feature_groups=feature_groups,
        study_photos=study_photos,
    )
    show_numbers(task.result, numbers, metrics)
    return task.result.key
