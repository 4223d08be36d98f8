"""Settings of embed; none of them changes the numbers of a feature group."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError
from coachworks.feature_groups import GROUPS


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedConfig:
    """Settings of embed.

    Attributes:
        batch_size: Photos per pass of the backbone, in [1, 256].
        workers: Processes that decode and compute; 0: one per processor core.
        feature_groups: Groups of numbers to keep of the backbone's pass: `auto`, as many as fit 30 KB per photo and
            view; `all`; or names with commas between them, such as `last,blocks-mean`.
        study_photos: Photos on which the policy's transforms are studied, each alone; 0: no study, no skill leaves a
            view out.
    """

    batch_size: int = 4
    workers: int = 0
    feature_groups: str = "auto"
    study_photos: int = 100

    def __post_init__(self) -> None:
        if not 1 <= self.batch_size <= 256:
            raise InvalidConfigError(f"batch_size must be an integer in [1, 256]; got {self.batch_size!r}")
        if not 0 <= self.workers <= 1024:
            raise InvalidConfigError(
                f"workers must be an integer in [0, 1024], 0 for one per core; got {self.workers!r}"
            )
        names = {name.strip() for name in self.feature_groups.split(",")}
        if self.feature_groups not in {"auto", "all"} and names - set(GROUPS):
            raise InvalidConfigError(
                f"feature_groups must be auto, all, or names among {', '.join(GROUPS)} with commas between them; got "
                f"{self.feature_groups!r}"
            )
        if self.study_photos < 0:
            raise InvalidConfigError(
                f"study_photos must be an integer of at least 0, 0 for no study; got {self.study_photos!r}"
            )
