"""The KFP face of embed."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.STEPS, install_kfp_package=False)
def embed(fleet: str, augment: str, batch_size: int = 4, workers: int = 0) -> str:
    """Compute the backbone's features of the photos and their augmented views, each once.

    Args:
        fleet: The fleet, as JSON.
        augment: Key of the result of augment.
        batch_size: Photos per pass of the backbone, in [1, 256].
        workers: Processes that decode and compute; 0: one per processor core.

    Returns:
        Key of the result.
    """
    from coachworks.task import run_task

    return run_task("embed", fleet, augment, batch_size=batch_size, workers=workers).key
