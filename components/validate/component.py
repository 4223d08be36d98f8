"""The KFP face of validate."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.STEPS, install_kfp_package=False)
def validate(
    fleet: str,
    split: str,
    page: dsl.Output[dsl.HTML],
    near_duplicate_distance: int = 8,
    near_duplicate_similarity: float = 0.9,
    max_leaking_share: float = 0.05,
    max_unknown_share: float = 0.01,
    max_poor_share: float = 0.05,
    min_sharpness: float = 0.01,
    min_brightness: float = 0.15,
    max_brightness: float = 0.92,
    min_contrast: float = 0.03,
    min_side_px: int = 112,
) -> str:
    """Judge the photos and labels: which skills may train, and what is missing.

    Args:
        fleet: The fleet, as JSON.
        split: Key of the result of split.
        near_duplicate_distance: Most bits in which the perceptual hashes of two photos that look alike differ, in [0, 16].
        near_duplicate_similarity: Least correlation of two such photos without their light and shade, in (0, 1].
        max_leaking_share: Share of a skill's held-out photos that may look like one of an earlier split; more is a failure, in [0, 1].
        max_unknown_share: Share of a skill's labels that may be outside its vocabulary; more is a failure, in [0, 1].
        max_poor_share: Share of photos that may be poor in one respect; more is a warning, in [0, 1].
        min_sharpness: Least sharpness, the variance of the Laplacian divided by that of the grey values.
        min_brightness: Least mean brightness, in [0, 1].
        max_brightness: Largest mean brightness, in [0, 1].
        min_contrast: Least standard deviation of the grey values, in [0, 0.5].
        min_side_px: Least length of the shorter side, in pixels.
        page: What was found, with pictures.

    Returns:
        Key of the result.
    """  # noqa: E501 — one line per input
    import shutil

    from coachworks.context import step_context
    from coachworks.fleet.model import Fleet
    from coachworks.store import open_store
    from components.validate.config import ValidateConfig
    from components.validate.step import validate as step

    located = Fleet.from_json(fleet)
    config = ValidateConfig(
        near_duplicate_distance=near_duplicate_distance,
        near_duplicate_similarity=near_duplicate_similarity,
        max_leaking_share=max_leaking_share,
        max_unknown_share=max_unknown_share,
        max_poor_share=max_poor_share,
        min_sharpness=min_sharpness,
        min_brightness=min_brightness,
        max_brightness=max_brightness,
        min_contrast=min_contrast,
        min_side_px=min_side_px,
    )
    with step_context(open_store(located.spec.store), "validate") as context:
        result = step(located, split, config=config, context=context)
        shutil.copyfile(result.path / "page.html", page.path)
        return result.key
