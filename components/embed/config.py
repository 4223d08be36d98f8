"""Settings of embed; none of them changes a feature."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedConfig:
    """Settings of embed.

    Attributes:
        batch_size: Photos per pass of the backbone, in [1, 256].
        workers: Processes that decode and compute; 0: one per processor core.
    """

    batch_size: int = 4
    workers: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.batch_size <= 256:
            raise InvalidConfigError(f"batch_size must be an integer in [1, 256]; got {self.batch_size!r}")
        if not 0 <= self.workers <= 1024:
            raise InvalidConfigError(
                f"workers must be an integer in [0, 1024], 0 for one per core; got {self.workers!r}"
            )
