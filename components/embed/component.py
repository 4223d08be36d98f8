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
    from coachworks.context import step_context
    from coachworks.fleet.model import Fleet
    from coachworks.store import open_store
    from components.embed.config import EmbedConfig
    from components.embed.step import embed as step

    located = Fleet.from_json(fleet)
    config = EmbedConfig(batch_size=batch_size, workers=workers)
    with step_context(open_store(located.spec.store), "embed") as context:
        return step(located, augment, config=config, context=context).key
