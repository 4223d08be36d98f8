"""Choice of the feature groups that a skill's candidates read: the smallest set within one standard error of the best.

Few photos per label want few numbers, and what is small or far from the middle wants places; no set is best for every
skill. The sets are compared by a linear head in folds of the training and validation photos.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.train.batched_lbfgs import Problems, cross_entropy, fit_linear
from components.train.config import TrainConfig
from components.train.feature_sets import FeatureSets, Groups
from components.train.lane import UNLABELLED, Lane
from components.train.selection import Score, score

Array = NDArray[Any]
Floats = NDArray[np.float32]

FOLDS = 3
PENALTY = 3e-2  # the middle one of the candidate `linear`: what is compared are sets, each at the same strength
_ITERATIONS = 40  # most heads have converged by then
_PHOTOS = 10_000  # more make the choice no surer


@dataclass(frozen=True, eq=False)
class Choice:
    """The groups that a skill reads.

    Attributes:
        groups: The chosen set.
        tried: Balanced accuracy and standard error of each set, in folds; empty where there was only one.
        why: Reason in words; empty where there was only one.
    """

    groups: Groups
    tried: Mapping[Groups, Score]
    why: str


def choose_groups(
    sets: FeatureSets,
    labels: Mapping[str, tuple[str, ...]],
    answers: Array,
    set_ids: Array,
    config: TrainConfig,
) -> dict[str, Choice]:
    """Choose the set of groups of every skill of a lane.

    Args:
        sets: The sets to choose from.
        labels: Labels of each skill.
        answers: Label indices of the training photos and, after them, the validation photos, int64, shape (N, S).
        set_ids: Set of each of these photos as an index, shape (N,).
        config: Settings.
    """
    if len(sets.sets) == 1:
        return {skill: Choice(sets.sets[0], {}, "") for skill in labels}
    fold_of = _folds(set_ids, config.seed)
    rows = np.flatnonzero(fold_of >= 0)
    tried: dict[str, dict[Groups, Score]] = {skill: {} for skill in labels}
    for groups in sets.sets:
        fitted = sets.fit(groups)
        points = np.concatenate([fitted.train, fitted.validation])[rows]
        for skill, measured in _measure(points, labels, answers[rows], set_ids[rows], fold_of[rows], config).items():
            tried[skill][groups] = measured
    return {skill: pick_groups(scores) for skill, scores in tried.items()}


def pick_groups(tried: Mapping[Groups, Score]) -> Choice:
    """Return the smallest set within one standard error of the best (Breiman et al., 1984, section 3.4.3)."""
    first, *_ = tried
    known = [groups for groups in tried if not math.isnan(tried[groups].balanced_accuracy)]
    if not known:
        return Choice(first, tried, f"{_named(first)} is the smallest set; there are no photos to compare by")
    best = max(known, key=lambda groups: (tried[groups].balanced_accuracy, -len(groups)))
    bar = tried[best].balanced_accuracy - tried[best].standard_error
    chosen = next(groups for groups in known if tried[groups].balanced_accuracy >= bar)
    top = f"{tried[best].balanced_accuracy:.3f} ± {tried[best].standard_error:.3f}"
    if chosen == best:
        others = ", ".join(f"{_named(g)} {tried[g].balanced_accuracy:.3f}" for g in known if g != best)
        return Choice(chosen, tried, f"{_named(chosen)} is the best in folds, {top}, against {others}")
    own = f"{tried[chosen].balanced_accuracy:.3f}"
    why = f"{_named(chosen)} is the smallest set within one standard error of the best in folds: {own} against "
    return Choice(chosen, tried, f"{why}{top} of {_named(best)}")


def _named(groups: Groups) -> str:
    return " + ".join(groups)


def _folds(set_ids: Array, seed: int) -> Array:
    """Return the fold of each photo, -1 for none; the photos of a set are in one fold."""
    random = np.random.default_rng(seed)
    names, sizes = np.unique(set_ids, return_counts=True)
    order = random.permutation(len(names))
    kept = order[: max(1, int(np.searchsorted(np.cumsum(sizes[order]), _PHOTOS, side="right")))]
    fold_of_set = np.full(len(names), -1)
    fold_of_set[kept] = np.arange(len(kept)) % FOLDS
    return np.asarray(fold_of_set[np.searchsorted(names, set_ids)])


def _measure(
    points: Floats,
    labels: Mapping[str, tuple[str, ...]],
    answers: Array,
    set_ids: Array,
    fold_of: Array,
    config: TrainConfig,
) -> dict[str, Score]:
    """Score a linear head of each skill on the photos that it was not fitted on: all skills and folds in one fit."""
    columns = [
        np.where(fold_of == fold, UNLABELLED, answers[:, skill])
        for skill in range(len(labels))
        for fold in range(FOLDS)
    ]
    lane = Lane(
        labels={f"{skill} {fold}": names for skill, names in labels.items() for fold in range(FOLDS)},
        train=points,
        views=(),
        answers=np.stack(columns, axis=1),
        train_sets=set_ids,
        validation=points[:0],
        validation_answers=answers[:0, :0],
        validation_sets=set_ids[:0],
        class_weights=config.class_weights,
    )
    problems = Problems(
        points=points,
        answers=lane.answers,
        weights=lane.photo_weights(),
        labels=tuple(len(names) for names in lane.labels.values()),
        penalties=((PENALTY,),) * len(columns),
    )
    fits = fit_linear(problems, cross_entropy, max_iterations=_ITERATIONS)
    scores = {}
    for column, (skill, names) in enumerate(labels.items()):
        logits = np.empty((len(points), len(names)), np.float32)
        for fold in range(FOLDS):
            (fitted,), held_out = fits[column * FOLDS + fold], fold_of == fold
            logits[held_out] = points[held_out] @ fitted.weight.T + fitted.bias
        truth = answers[:, column]
        known = truth != UNLABELLED
        scores[skill] = score(logits[known], truth[known], _compact(set_ids[known]), seed=config.seed)
    return scores


def _compact(sets: Sequence[int] | Array) -> Array:
    """Number the sets from 0 without gaps."""
    return np.asarray(np.unique(np.asarray(sets), return_inverse=True)[1])
