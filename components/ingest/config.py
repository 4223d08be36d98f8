"""Settings of ingest."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestConfig:
    """Settings of ingest.

    Attributes:
        workers: Threads that read and decode photos; 0 takes one per core.
    """

    workers: int = 0

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise InvalidConfigError(f"workers must be 0 or more; got {self.workers!r}")
