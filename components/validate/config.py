"""Settings of validate."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateConfig:
    """Settings of near duplicates; the limits of all other rules are in `checks` of the fleet file.

    Attributes:
        near_duplicate_distance: Largest number of differing bits in the perceptual hashes of near duplicates, 0 to 16.
        near_duplicate_similarity: Smallest correlation of near duplicates, after high-pass filtering, in (0, 1].
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
