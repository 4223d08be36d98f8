"""Settings of ingest."""

import re
from dataclasses import dataclass

from coachworks.errors import InvalidConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestConfig:
    """Settings of ingest.

    Attributes:
        ingested: Key of a result of ingest that was made elsewhere; it is taken as it is, and no source is looked at.
        workers: Threads that read photos; 0 takes one per core, or four with a bucket at either end.
    """

    ingested: str = ""
    workers: int = 0

    def __post_init__(self) -> None:
        if self.ingested and not re.fullmatch(r"[0-9a-f]{32}", self.ingested):
            raise InvalidConfigError(
                f"ingested must be the key of a result of ingest, 32 hexadecimal digits; got {self.ingested!r}. "
                "`coachworks ingest --json` says it."
            )
        if self.workers < 0:
            raise InvalidConfigError(f"workers must be 0 or more; got {self.workers!r}")
