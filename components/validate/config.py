"""Settings of validate."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateConfig:
    """Settings of validate.

    Attributes:
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
    """  # noqa: E501 — one line per setting: the commands and their reference show it

    near_duplicate_distance: int = 8
    near_duplicate_similarity: float = 0.9
    max_leaking_share: float = 0.05
    max_unknown_share: float = 0.01
    max_poor_share: float = 0.05
    min_sharpness: float = 0.01
    min_brightness: float = 0.15
    max_brightness: float = 0.92
    min_contrast: float = 0.03
    min_side_px: int = 112

    def __post_init__(self) -> None:
        if not 0 <= self.near_duplicate_distance <= 16:
            raise InvalidConfigError(
                f"near_duplicate_distance must be an integer in [0, 16]; got {self.near_duplicate_distance!r}"
            )
        if not 0 < self.near_duplicate_similarity <= 1:
            raise InvalidConfigError(
                f"near_duplicate_similarity must be a float in (0, 1]; got {self.near_duplicate_similarity!r}"
            )
        for name in ("max_leaking_share", "max_unknown_share", "max_poor_share", "min_brightness", "max_brightness"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidConfigError(f"{name} must be a float in [0, 1]; got {getattr(self, name)!r}")
        if self.min_brightness >= self.max_brightness:
            raise InvalidConfigError(
                f"min_brightness must be below max_brightness ({self.max_brightness!r}); got {self.min_brightness!r}"
            )
        if not 0 <= self.min_contrast <= 0.5:
            raise InvalidConfigError(f"min_contrast must be a float in [0, 0.5]; got {self.min_contrast!r}")
        for name in ("min_sharpness", "min_side_px"):
            if getattr(self, name) < 0:
                raise InvalidConfigError(f"{name} must be 0 or more; got {getattr(self, name)!r}")
