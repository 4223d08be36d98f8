"""Settings of augment; the policy itself is part of the fleet file (`spec.augment`)."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentConfig:
    """Settings of augment.

    Attributes:
        sheet_photos: Photos on the contact sheet, in [1, 100].
        sheet_views: Views per photo on the contact sheet, in [1, 16].
    """

    sheet_photos: int = 12
    sheet_views: int = 5

    def __post_init__(self) -> None:
        if not 1 <= self.sheet_photos <= 100:
            raise InvalidConfigError(f"sheet_photos must be an integer in [1, 100]; got {self.sheet_photos!r}")
        if not 1 <= self.sheet_views <= 16:
            raise InvalidConfigError(f"sheet_views must be an integer in [1, 16]; got {self.sheet_views!r}")
