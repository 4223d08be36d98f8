"""Sets of feature groups that the skills of a lane choose from, each with its reduced dimensions.

A group is read, reduced and forgotten before the next one is read. Large features lie in a file meanwhile and are read
in blocks, so that memory holds reduced dimensions alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coachworks.feature_groups import LAST, nested
from coachworks.feature_table import side_by_side
from components.train.reading import Read
from components.train.reduction import Reduction, fit_reduction, fit_wide_reduction, join, project

Floats = NDArray[np.float32]
Groups = tuple[str, ...]

_EXACT = 2048  # features of a group above which its axes are approximate


@dataclass(frozen=True, eq=False)
class ReducedGroup:
    """One group of a lane: its reduction, and the clean photos along its axes, each float32 of shape (N, P)."""

    reduction: Reduction
    train: Floats
    validation: Floats


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """A set of groups.

    Attributes:
        groups: The groups, in their order.
        reduction: Reduction of their features, side by side.
        axes: Axes of the set among those of its groups; None for a single group.
        train: Clean training photos, reduced, float32, shape (N, P).
        validation: Validation photos, reduced.
    """

    groups: Groups
    reduction: Reduction
    axes: Floats | None
    train: Floats
    validation: Floats


class FeatureSets:
    """The groups of a lane and the sets that they form.

    Args:
        read: Reads features.
        photos: Ids of the training photos.
        tested: Ids of the validation photos.
        groups: The groups that there are.
        components: Maximum number of axes of each group and of each set.
    """

    def __init__(
        self, read: Read, photos: Sequence[str], tested: Sequence[str], groups: Iterable[str], components: int
    ) -> None:
        self._read, self._photos, self._components = read, photos, components
        self.sets = nested(groups)
        self._groups: dict[str, ReducedGroup] = {}
        self._joined: dict[Groups, tuple[Reduction, Floats]] = {}
        for group in self.sets[-1]:
            self._groups[group] = self._reduced(group, tested)

    def _reduced(self, group: str, tested: Sequence[str]) -> ReducedGroup:
        clean = self._read(self._photos, 0, group)
        exact = group == LAST or clean.shape[1] <= _EXACT
        reduction = (fit_reduction if exact else fit_wide_reduction)(clean, self._components)
        validation = reduction(self._read(tested, 0, group) if tested else clean[:0])
        return ReducedGroup(reduction, reduction(clean), validation)

    def fit(self, groups: Groups) -> FeatureSet:
        """Return the reduced photos of a set."""
        parts = [self._groups[group] for group in groups]
        if len(parts) == 1:
            return FeatureSet(groups, parts[0].reduction, None, parts[0].train, parts[0].validation)
        scores = side_by_side([part.train for part in parts])
        if groups not in self._joined:
            self._joined[groups] = join([part.reduction for part in parts], scores, self._components)
        reduction, axes = self._joined[groups]
        validation = project(side_by_side([part.validation for part in parts]), axes)
        return FeatureSet(groups, reduction, axes, project(scores, axes), validation)

    def views(self, sets: Sequence[FeatureSet], count: int) -> Mapping[Groups, tuple[Floats, ...]]:
        """Return the augmented views of the training photos, reduced, for each of the sets.

        Only groups that one of the sets holds are read, each view of a group once.
        """
        views: dict[Groups, list[Floats]] = {each.groups: [] for each in sets}
        for view in range(1, count + 1):
            scores = {
                group: self._groups[group].reduction(self._read(self._photos, view, group))
                for group in max((each.groups for each in sets), key=len)
            }
            for each in sets:
                parts = [scores[group] for group in each.groups]
                views[each.groups].append(parts[0] if each.axes is None else project(side_by_side(parts), each.axes))
        return {groups: tuple(tables) for groups, tables in views.items()}
