"""Comparison of the policies against imbalance, for all skills of a lane at once: linear heads in folds by set."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.train.batched_lbfgs import Fit
from components.train.config import TrainConfig
from components.train.imbalance import (
    ADJUSTED,
    AUTO,
    BALANCED,
    NONE,
    POLICIES,
    UNEVEN,
    Imbalance,
    log_shares,
    pick_policy,
)
from components.train.lane import UNLABELLED, Lane
from components.train.linear import adjusted, fit_heads
from components.train.out_of_fold import ALWAYS, FOLDS, fold_of_photos

Array = NDArray[Any]

PENALTY = 1e-1  # one of those of the candidate `linear`: each policy at the same strength
_FITTED = tuple(policy for policy in POLICIES if policy != ADJUSTED)  # logit adjustment is `none` with another bias
_ITERATIONS = 40  # most heads have converged by then
_PHOTOS = 10_000  # more make the choice no surer


def choose_policies(lane: Lane, config: TrainConfig) -> dict[str, Imbalance]:
    """Choose the policy of every skill of a lane.

    The policies compete for skills with uneven labels; where the labels are about even, they hardly differ, and
    nothing is fitted. Each photo is answered by heads that have seen neither it nor another photo of its set, so that
    all photos of a rare label count, not only those of validation. Clean views are enough to compare by.

    Args:
        lane: All photos but the test photos, as training photos: `Lane.joined()`.
        config: Settings.
    """
    if config.class_weights != AUTO:
        why = f"{config.class_weights}, by the setting class_weights"
        return dict.fromkeys(lane.skills, Imbalance(policy=config.class_weights, tried={}, why=why))
    ratios = {skill: _ratio(lane, skill) for skill in lane.skills}
    choices = {
        skill: Imbalance(
            policy=BALANCED,
            tried={},
            why=f"{BALANCED}, without a comparison: no label has {UNEVEN:g} times as many photos as another",
        )
        for skill, ratio in ratios.items()
        if ratio < UNEVEN
    }
    uneven = [skill for skill in lane.skills if skill not in choices]
    if uneven:
        choices |= _compare(_sample(lane.subset(uneven), config.seed), config)
    return {skill: choices[skill] for skill in lane.skills}


def _ratio(lane: Lane, skill: str) -> float:
    """Photos of the most frequent label for each of the rarest one."""
    answers = lane.answers[:, lane.skills.index(skill)]
    counts = np.bincount(answers[answers != UNLABELLED], minlength=len(lane.labels[skill]))
    return float(counts.max() / max(counts.min(), 1))


def _sample(lane: Lane, seed: int) -> Lane:
    """Return the lane's clean photos, or some of them if there are many; the photos of a set stay together."""
    names, owner = np.unique(lane.train_sets, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    kept = np.cumsum(np.bincount(owner)[order]) <= _PHOTOS
    kept[:1] = True
    rows = np.isin(owner, order[kept])
    return replace(
        lane,
        train=np.ascontiguousarray(lane.train[rows]),
        views=(),
        answers=lane.answers[rows],
        train_sets=owner[rows],
        view_answers=(),
    )


def _compare(lane: Lane, config: TrainConfig) -> dict[str, Imbalance]:
    folds = {skill: fold_of_photos(lane.answers[:, c], lane.train_sets) for c, skill in enumerate(lane.skills)}
    heads = _heads(lane, folds)
    choices = {}
    for column, skill in enumerate(lane.skills):
        rows = np.flatnonzero((folds[skill] != ALWAYS) & (lane.answers[:, column] != UNLABELLED))
        answers, fold = lane.answers[rows, column], folds[skill][rows]
        logits = {policy: _answered(lane.train[rows], fold, heads[skill, policy]) for policy in POLICIES}
        choices[skill] = pick_policy(logits, answers, lane.train_sets[rows], seed=config.seed)
    return choices


def _heads(lane: Lane, folds: Mapping[str, Array]) -> dict[tuple[str, str], list[Fit]]:
    """Fit heads of each skill and policy without each fold, all in one call."""
    columns = [(skill, policy, fold) for skill in lane.skills for policy in _FITTED for fold in range(FOLDS)]
    answers = [
        np.where(folds[skill] == fold, UNLABELLED, lane.answers[:, lane.skills.index(skill)])
        for skill, _, fold in columns
    ]
    names = [f"{skill}/{policy}/{fold}" for skill, policy, fold in columns]
    repeated = replace(
        lane,
        labels={name: lane.labels[skill] for name, (skill, *_) in zip(names, columns, strict=True)},
        answers=np.stack(answers, axis=1),
        policies={name: policy for name, (_, policy, _) in zip(names, columns, strict=True)},
    )
    fits = fit_heads(repeated, [(PENALTY,)] * len(columns), max_iterations=_ITERATIONS)
    heads: dict[tuple[str, str], list[Fit]] = {}
    for (skill, policy, _), own, (fitted,) in zip(columns, answers, fits, strict=True):
        heads.setdefault((skill, policy), []).append(fitted)
        if policy == NONE:
            counts = np.bincount(own[own != UNLABELLED], minlength=len(lane.labels[skill])).astype(np.float64)
            heads.setdefault((skill, ADJUSTED), []).append(adjusted(fitted, log_shares(counts)))
    return heads


def _answered(points: Array, fold_of: Array, fits: Sequence[Fit]) -> Array:
    """Logits (N, K) of photos, each by the fit without its fold."""
    logits = np.zeros((len(points), len(fits[0].bias)), np.float32)
    for fold, fitted in enumerate(fits):
        rows = fold_of == fold
        logits[rows] = points[rows] @ fitted.weight.T + fitted.bias
    return logits
