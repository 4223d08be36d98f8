"""What split reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Conflict:
    """Sets that belong together, or one set, for which different splits speak.

    Attributes:
        sets: The sets concerned, at most fifty.
        splits: The split each of them has now, in the same order.
        message: What speaks for which split, and what was done.
    """

    sets: Sequence[str]
    splits: Sequence[str]
    message: str


@dataclass(frozen=True)
class SplitReport:
    """How the photos are split.

    Attributes:
        photos: Photos per split.
        sets: Sets per split.
        skills: Photos per skill, label and split; only photos that carry a label.
        remembered: Sets whose split was known from an earlier run.
        demanded: Sets whose split a table demands.
        conflicts: What could not be had both ways.
    """

    STEP: ClassVar[str] = "split"

    photos: Mapping[str, int]
    sets: Mapping[str, int]
    skills: Mapping[str, Mapping[str, Mapping[str, int]]]
    remembered: int
    demanded: int
    conflicts: Sequence[Conflict]
