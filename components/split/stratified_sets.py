"""Whole sets into splits, so that each label is spread as the shares say.

Iterative stratification of multi-label data (Sechidis, Tsoumakas, Vlahavas 2011, doi:10.1007/978-3-642-23808-6_10): the
label with the fewest photos left goes first, and each of its examples goes where it is most wanted. Adapted: examples
are sets of photos, so that labels have counts, and large sets go before small ones; where a set is most wanted is
judged by all of its labels, for with dozens of skills the rarest alone leaves the others to chance; sets are moved
afterwards as long as that helps; what is assigned already counts; each split gets a set of every label that has three;
ties are broken by a hash, not by chance.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from coachworks.tables import SPLITS

_TRAIN, _VALIDATION, _TEST = range(3)
_RARE_FIRST = (_TEST, _VALIDATION, _TRAIN)  # a label of two sets is better untested than untrained: needs three
_PASSES = 10  # as a rule nothing moves any more after three or four
_TIE = 1e-9  # shares are decimal fractions: equal wishes may differ in the last bits


@dataclass(frozen=True)
class Unit:
    """Sets that go together.

    Attributes:
        name: The first set's id; its hash breaks ties.
        photos: Photos in it.
        labels: Photos per label; a label is any hashable, such as (skill, label).
        allowed: Indices of the splits it may go to.
    """

    name: str
    photos: int
    labels: Mapping[tuple[str, str], int] = field(default_factory=dict)
    allowed: tuple[int, ...] = (0, 1, 2)


def assign(units: Sequence[Unit], shares: Sequence[float], placed: Mapping[int, Sequence[Unit]]) -> list[int]:
    """The split of each unit.

    Args:
        units: What is to be assigned, in any order: the outcome does not depend on it.
        shares: Wanted shares of train, validation and test; they add up to 1.
        placed: Units that are assigned already, by split. One that may be nowhere else (`allowed`) counts for itself
            only; others count towards the shares.

    Returns:
        Index into `tables.SPLITS` per unit.
    """
    return _Assignment(units, np.asarray(shares, dtype=float), placed).run()


class _Assignment:
    def __init__(self, units: Sequence[Unit], shares: np.ndarray, placed: Mapping[int, Sequence[Unit]]) -> None:
        self._units = units
        settled = [(split, unit) for split, members in placed.items() for unit in members]
        every = [*units, *(unit for _, unit in settled)]
        self._labels = sorted({label for unit in every for label in unit.labels})
        self._columns = {label: column for column, label in enumerate(self._labels)}
        # Wanted photos per split and label; the last column counts all photos.
        self._wanted = np.zeros((len(SPLITS), len(self._columns) + 1))
        self._photos_left = np.zeros(len(self._columns))
        self._sets_per_split = np.zeros((len(SPLITS), len(self._columns)), dtype=int)
        self._sparse = [self._counts(unit) for unit in units]
        for unit, (columns, counts) in zip(units, self._sparse, strict=True):
            self._want(unit, columns, counts, shares)
            self._photos_left[columns[:-1]] += counts[:-1]
        settled_counts = [self._counts(unit) for _, unit in settled]
        for (_, unit), (columns, counts) in zip(settled, settled_counts, strict=True):
            self._want(unit, columns, counts, shares)
        self._target = self._wanted.copy()
        for (split, _), (columns, counts) in zip(settled, settled_counts, strict=True):
            self._wanted[split, columns] -= counts
            self._sets_per_split[split, columns[:-1]] += 1
        self._order = [hashlib.sha256(unit.name.encode()).digest() for unit in units]
        self._chosen = [-1] * len(units)

    def _counts(self, unit: Unit) -> tuple[np.ndarray, np.ndarray]:
        """Columns and photo counts of a unit; the last is the column of all photos."""
        columns = [self._columns[label] for label in unit.labels]
        return np.array([*columns, len(self._columns)]), np.array([*unit.labels.values(), unit.photos], dtype=float)

    def _want(self, unit: Unit, columns: np.ndarray, counts: np.ndarray, shares: np.ndarray) -> None:
        """A unit adds to what the splits it may go to want, in proportion to their shares."""
        allowed = list(unit.allowed)
        self._wanted[np.array(allowed)[:, None], columns] += np.outer(shares[allowed] / shares[allowed].sum(), counts)

    def run(self) -> list[int]:
        by_label: list[list[int]] = [[] for _ in self._columns]
        for i, unit in enumerate(self._units):
            for label in unit.labels:
                by_label[self._columns[label]].append(i)
        self._represent(by_label)
        left = set(range(len(self._columns)))
        while left:
            column = min(left, key=lambda column: (self._photos_left[column], column))
            left.remove(column)
            self._spread(column, [i for i in by_label[column] if self._chosen[i] < 0])
        rest = [i for i, split in enumerate(self._chosen) if split < 0]
        for i in sorted(rest, key=lambda i: (-self._units[i].photos, self._order[i])):
            self._put(i, self._best(i))
        self._refine()
        return self._chosen

    def _represent(self, by_label: Sequence[Sequence[int]]) -> None:
        """Give each split a set of every label that has at least three, the smallest; rare labels choose first."""
        sets = [len(by_label[column]) + self._sets_per_split[:, column].sum() for column in range(len(by_label))]
        for column in sorted(range(len(by_label)), key=lambda column: (sets[column], column)):
            if sets[column] < len(SPLITS):
                continue
            for split in _RARE_FIRST:
                if self._sets_per_split[split, column]:
                    continue
                free = [i for i in by_label[column] if self._chosen[i] < 0 and split in self._units[i].allowed]
                if free:
                    self._put(min(free, key=lambda i: (self._units[i].photos, self._order[i])), split)

    def _spread(self, column: int, waiting: list[int]) -> None:
        """Assign all units that carry a label, those with most photos of it first."""
        label = self._labels[column]
        for i in sorted(waiting, key=lambda i: (-self._units[i].labels[label], self._order[i])):
            self._put(i, self._best(i))

    def _best(self, i: int) -> int:
        """The allowed split that a unit brings closest to its target; among equals the one that wants photos most."""
        costs = {split: self._cost(i, split) for split in self._units[i].allowed}
        least = min(costs.values())
        equals = [split for split, cost in costs.items() if cost <= least + _TIE]
        return max(equals, key=lambda split: (self._wanted[split, -1], -split))

    def _cost(self, i: int, split: int) -> float:
        """By how much the distance Σ (got - target)² / target grows when the unit joins the split."""
        columns, counts = self._sparse[i]
        return float((counts * (counts - 2 * self._wanted[split, columns]) / self._target[split, columns]).sum())

    def _refine(self) -> None:
        """Move units while that brings the whole closer to what is wanted, and leaves no split without a label."""
        order = sorted(range(len(self._units)), key=lambda i: self._order[i])
        for _ in range(_PASSES):
            moved = False
            for i in order:
                split, columns = self._chosen[i], self._sparse[i][0]
                if len(self._units[i].allowed) == 1 or (self._sets_per_split[split, columns[:-1]] <= 1).any():
                    continue
                self._put(i, split, sign=-1)
                best = self._best(i)
                stays = self._cost(i, best) >= self._cost(i, split) - _TIE
                self._put(i, split if stays else best)
                moved |= not stays
            if not moved:
                return

    def _put(self, i: int, split: int, *, sign: int = 1) -> None:
        """Let a unit join a split; leave it, if `sign` is -1."""
        self._chosen[i] = split
        columns, counts = self._sparse[i]
        self._wanted[split, columns] -= sign * counts
        self._photos_left[columns[:-1]] -= sign * counts[:-1]
        self._sets_per_split[split, columns[:-1]] += sign
