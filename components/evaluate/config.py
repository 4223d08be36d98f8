"""Settings of evaluate."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateConfig:
    """Settings of evaluate.

    Attributes:
        replicates: Bootstrap replicates that the confidence intervals rest on, at least 100.
        confidence: Confidence of the intervals, in (0, 1).
        pictures: Most photos on a contact sheet, at least 1.
    """

    replicates: int = 2000
    confidence: float = 0.95
    pictures: int = 12

    def __post_init__(self) -> None:
        for name, least in (("replicates", 100), ("pictures", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InvalidConfigError(f"{name} must be an integer of at least {least}; got {value!r}")
        if not isinstance(self.confidence, float) or not 0 < self.confidence < 1:
            raise InvalidConfigError(f"confidence must be a number in (0, 1); got {self.confidence!r}")
