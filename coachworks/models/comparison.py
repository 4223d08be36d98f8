"""Result of comparing a challenger with the champion, as it is stored in the tags of a model version."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How a challenger did against the champion.

    Attributes:
        champion_version: The champion's version.
        champion: Its balanced accuracy, in [0, 1].
        challenger: The challenger's, on the same photos.
        difference: Challenger minus champion.
        low: Lower end of the 95 % interval of the difference.
        high: Upper end.
        probability_better: Share of the resamples in which the challenger is better, ties counting half.
        photos: Photos compared on.
        sets: Sets compared on.
        basis: Where the champion's answers come from.
    """

    champion_version: str
    champion: float
    challenger: float
    difference: float
    low: float
    high: float
    probability_better: float
    photos: int
    sets: int
    basis: str

    def sentence(self) -> str:
        """The comparison in words."""
        return (
            f"balanced accuracy {self.challenger:.3f} against {self.champion:.3f} of version {self.champion_version} "
            f"on the same {self.photos} test photos ({self.sets} sets): difference {self.difference:+.3f}, "
            f"95 % interval {self.low:+.3f} to {self.high:+.3f}, "
            f"better in {self.probability_better:.0%} of the resamples"
        )
