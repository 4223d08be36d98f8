"""Stratified assignment of whole sets to splits.

Iterative stratification of multi-label data (Sechidis, Tsoumakas, Vlahavas 2011, doi:10.1007/978-3-642-23808-6_10):
labels are processed from the one with the fewest remaining photos, and each of its examples goes to the split that
needs it most. Adaptations:

* examples are sets of photos, so labels have counts, and large sets precede small ones;
* the need of a split is computed from all labels of a set: with dozens of skills, the rarest label alone would leave
  the others to chance;
* afterwards, sets are moved as long as that improves the result;
* earlier assignments count;
* each split gets a set of every label that has at least three;
* ties are broken by a hash, so the result does not depend on the order.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from coachworks.tables import SPLITS

_TRAIN, _VALIDATION, _TEST = range(3)
# Order in which the splits get a set of a rare label; only labels with at least three sets, so that train gets one.
_RARE_FIRST = (_TEST, _VALIDATION, _TRAIN)
_PASSES = 10  # usually nothing moves after three or four
_TIE = 1e-9  # shares are decimal fractions: equal needs may differ in the last bits


@dataclass(frozen=True)
class Unit:
    """Sets that are assigned together.

    Attributes:
        name: Id of the first set; its hash breaks ties.
        photos: Number of photos.
        labels: Photos per label; a label is any hashable, such as (skill, label).
        allowed: Indices of the allowed splits.
    """

    name: str
    photos: int
    labels: Mapping[tuple[str, str], int] = field(default_factory=dict)
    allowed: tuple[int, ...] = (0, 1, 2)


def assign(units: Sequence[Unit], shares: Sequence[float], placed: Mapping[int, Sequence[Unit]]) -> list[int]:
    """Assign a split to each unit.

    Args:
        units: The units; the result does not depend on their order.
        shares: Target shares of train, validation and test; they add up to 1.
        placed: Units that are assigned already, by split. A unit with one allowed split does not count towards the
            shares of the others.

    Returns:
        Index into `tables.SPLITS` per unit.
    """
    return _Assignment(units, np.asarray(shares, dtype=float), placed).run()


class _Assignment:
    def __init__(self, units: Sequence[Unit], shares: np.ndarray, placed: Mapping[int, Sequence[Unit]]) -> None:
        self._units = units
        earlier = [(split, unit) for split, members in placed.items() for unit in members]
        every = [*units, *(unit for _, unit in earlier)]
        self._labels = sorted({label for unit in every for label in unit.labels})
        self._columns = {label: column for column, label in enumerate(self._labels)}
        # Photos that each split still needs, per label; the last column counts all photos.
        self._needed = np.zeros((len(SPLITS), len(self._columns) + 1))
        self._photos_left = np.zeros(len(self._columns))
        self._sets_per_split = np.zeros((len(SPLITS), len(self._columns)), dtype=int)
        self._sparse = [self._counts(unit) for unit in units]
        for unit, (columns, counts) in zip(units, self._sparse, strict=True):
            self._add_target(unit, columns, counts, shares)
            self._photos_left[columns[:-1]] += counts[:-1]
        earlier_counts = [self._counts(unit) for _, unit in earlier]
        for (_, unit), (columns, counts) in zip(earlier, earlier_counts, strict=True):
            self._add_target(unit, columns, counts, shares)
        self._target = self._needed.copy()
        for (split, _), (columns, counts) in zip(earlier, earlier_counts, strict=True):
            self._needed[split, columns] -= counts
            self._sets_per_split[split, columns[:-1]] += 1
        self._order = [hashlib.sha256(unit.name.encode()).digest() for unit in units]
        self._chosen = [-1] * len(units)

    def _counts(self, unit: Unit) -> tuple[np.ndarray, np.ndarray]:
        """Return columns and photo counts of a unit; the last column is that of all photos."""
        columns = [self._columns[label] for label in unit.labels]
        return np.array([*columns, len(self._columns)]), np.array([*unit.labels.values(), unit.photos], dtype=float)

    def _add_target(self, unit: Unit, columns: np.ndarray, counts: np.ndarray, shares: np.ndarray) -> None:
        """Add a unit to the targets of its allowed splits, in proportion to their shares."""
        allowed = list(unit.allowed)
        self._needed[np.array(allowed)[:, None], columns] += np.outer(shares[allowed] / shares[allowed].sum(), counts)

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
        """Give each split the smallest set of every label with at least three sets; rare labels first."""
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
        """Assign all units with a label, those with most photos of it first."""
        label = self._labels[column]
        for i in sorted(waiting, key=lambda i: (-self._units[i].labels[label], self._order[i])):
            self._put(i, self._best(i))

    def _best(self, i: int) -> int:
        """Return the allowed split that a unit brings closest to its target; of equals, that with most open photos."""
        costs = {split: self._cost(i, split) for split in self._units[i].allowed}
        minimum = min(costs.values())
        equals = [split for split, cost in costs.items() if cost <= minimum + _TIE]
        return max(equals, key=lambda split: (self._needed[split, -1], -split))

    def _cost(self, i: int, split: int) -> float:
        """Return the increase of the distance Σ (actual - target)² / target if the unit joins the split."""
        columns, counts = self._sparse[i]
        return float((counts * (counts - 2 * self._needed[split, columns]) / self._target[split, columns]).sum())

    def _refine(self) -> None:
        """Move units while that reduces the distance to the targets and leaves every split its labels."""
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
        """Add a unit to a split, or remove it from the split if `sign` is -1."""
        self._chosen[i] = split
        columns, counts = self._sparse[i]
        self._needed[split, columns] -= sign * counts
        self._photos_left[columns[:-1]] -= sign * counts[:-1]
        self._sets_per_split[split, columns[:-1]] += sign
