"""Settings of validate."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateConfig:
    """When two photos look alike; what is tolerated of the data is said by `checks` in the fleet file.

    Attributes:
        near_duplicate_distance: Most bits in which the perceptual hashes of two photos that look alike differ, 0 to 16.
        near_duplicate_similarity: Least correlation of two such photos without their light and shade, in (0, 1].
    """

    near_duplicate_distance: int = 8
    near_duplicate_similarity: float = 0.9

    def __post_init__(self) -> None:
        if not 0 <= self.near_duplicate_distance <= 16:
            raise InvalidConfigError(
                f"near_duplicate_distance must be an integer in [0, 16]; got {self.near_duplicate_distance!r}"
            )
        if not 0 < self.near_duplicate_similarity <= 1:
            raise InvalidConfigError(
                f"near_duplicate_similarity must be a float in (0, 1]; got {self.near_duplicate_similarity!r}"
            )
