"""Settings of register."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterConfig:
    """Settings of register.

    Attributes:
        min_probability_better: Share of the replicates in which a challenger must beat the champion, in [0.5, 1].
        replicates: Bootstrap replicates of the test sets for the comparison of champion and challenger.
        seed: Seed of the replicates.
    """

    min_probability_better: float = 0.9
    replicates: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        if not 0.5 <= self.min_probability_better <= 1:
            raise InvalidConfigError(
                f"min_probability_better must be a float in [0.5, 1]; got {self.min_probability_better!r}"
            )
        if self.replicates < 100:
            raise InvalidConfigError(f"replicates must be an integer of at least 100; got {self.replicates!r}")
        if self.seed < 0:
            raise InvalidConfigError(f"seed must be an integer of at least 0; got {self.seed!r}")
