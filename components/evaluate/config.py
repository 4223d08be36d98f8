"""Settings of evaluate."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateConfig:
    """Settings of evaluate.

    Attributes:
        replicates: Bootstrap replicates that the confidence intervals rest on, at least 100.
        confidence: Confidence of the intervals, in (0, 1).
        bins: Bins of confidence that the expected calibration error compares, at least 2.
        pictures: Most photos on a contact sheet, at least 1.
        seed: Seed of the bootstrap.
    """

    replicates: int = 2000
    confidence: float = 0.95
    bins: int = 15
    pictures: int = 12
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("replicates", 100), ("bins", 2), ("pictures", 1), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InvalidConfigError(f"{name} must be an integer of at least {least}; got {value!r}")
        if not isinstance(self.confidence, float) or not 0 < self.confidence < 1:
            raise InvalidConfigError(f"confidence must be a number in (0, 1); got {self.confidence!r}")
