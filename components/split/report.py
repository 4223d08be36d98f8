"""The report of split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Conflict:
    """Linked sets, or one set, with contradictory splits.

    Attributes:
        sets: The sets concerned, at most fifty.
        splits: The split each of them has now, in the same order.
        message: The reasons for each split, and the decision.
    """

    sets: Sequence[str]
    splits: Sequence[str]
    message: str


@dataclass(frozen=True)
class SplitReport:
    """The split of the photos.

    Attributes:
        photos: Photos per split.
        sets: Sets per split.
        skills: Photos per skill, label and split; only photos that carry a label.
        remembered: Sets whose split was known from an earlier run.
        demanded: Sets whose split a table fixes.
        conflicts: Contradictions and their resolution.
    """

    STEP: ClassVar[str] = "split"

    photos: Mapping[str, int]
    sets: Mapping[str, int]
    skills: Mapping[str, Mapping[str, Mapping[str, int]]]
    remembered: int
    demanded: int
    conflicts: Sequence[Conflict]
