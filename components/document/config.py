"""Settings of document."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentConfig:
    """Settings of the documents.

    Attributes:
        examples: Number of right and of wrong answers shown as photos per skill, from 0 to 24 each.
    """

    examples: int = 6

    def __post_init__(self) -> None:
        if not 0 <= self.examples <= 24:
            raise InvalidConfigError(f"examples must be an integer from 0 to 24; got {self.examples!r}")
