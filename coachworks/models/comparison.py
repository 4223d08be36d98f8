"""Result of comparing a challenger with the champion, as it is stored in the tags of a model version."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Balanced accuracy of a challenger and of the champion on the same photos.

    Attributes:
        champion_version: Version of the champion.
        champion: Balanced accuracy of the champion, in [0, 1].
        challenger: Balanced accuracy of the challenger.
        difference: Challenger minus champion.
        low: Lower end of the difference's 95 % interval.
        high: Upper end of the same interval.
        probability_better: Share of the bootstrap replicates in which the challenger is better, ties counting half.
        photos: Number of photos.
        sets: Number of sets of photos.
        basis: Origin of the champion's answers, in words.
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
        """Describe the comparison in words."""
        return (
            f"balanced accuracy {self.challenger:.3f} against {self.champion:.3f} of version {self.champion_version} "
            f"on the same {self.photos} test photos ({self.sets} sets): difference {self.difference:+.3f}, "
            f"95 % interval {self.low:+.3f} to {self.high:+.3f}, "
            f"better in {self.probability_better:.0%} of the bootstrap replicates"
        )
