"""Out-of-fold answers: each labelled photo answered by a head that was fitted without its set."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.train.candidate import Candidate, Chosen
from components.train.lane import UNLABELLED, Lane

Array = NDArray[Any]
Fitter = Callable[[Lane, Chosen], Mapping[str, Candidate]]

FOLDS = 5
ALWAYS = -1  # fold of a photo that is in every fit: without its set a label would have no photo left
_LOGITS = 64_000_000  # float32 numbers of the logits of one call: 256 MB


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """A skill's head on all of its photos, and the answers of its folds' heads.

    Attributes:
        candidate: Fitted on all labelled photos of the lane's training table.
        logits: Logits of the photos that were held out once, float32, shape (H, K).
        rows: Their rows in the lane's training table, shape (H,).
        folds: Their folds, shape (H,).
    """

    candidate: Candidate
    logits: Array
    rows: Array
    folds: Array


def fit_with_folds(lane: Lane, fit: Fitter, chosen: Chosen) -> dict[str, OutOfFold]:
    """Fit the head of every skill on all photos, and once without the photos of each fold, all in the same call.

    Cross-fitting (Stone, 1974, doi:10.1111/j.2517-6161.1974.tb00994.x): the logits of a photo come from a head that has
    seen neither it nor another photo of its set. Each fit counts as a skill of its own, so that the fits share one pass
    over the photos. Lanes whose logits are too many for one call are fitted in several.

    Args:
        lane: The photos to fit on, in its training table; its validation table is ignored.
        fit: Fits a kind of head for all skills of a lane, with the chosen settings.
        chosen: Settings of each skill.
    """
    results = {}
    for skills in _calls(lane):
        part = lane.subset(skills)
        folds = np.stack([fold_of_photos(answers, part.train_sets) for answers in part.answers.T], axis=1)
        fitted = fit(_repeated(part, folds), {name: chosen[skill] for skill in skills for name in _names(skill)})
        for column, skill in enumerate(skills):
            whole, *heads = (fitted[name] for name in _names(skill))
            rows = np.flatnonzero((folds[:, column] != ALWAYS) & (part.answers[:, column] != UNLABELLED))
            own = folds[rows, column]
            logits = np.zeros((len(rows), len(lane.labels[skill])), np.float32)
            for fold, head in enumerate(heads):
                logits[own == fold] = head.logits[rows[own == fold]]
            results[skill] = OutOfFold(whole, logits, rows, own)
    return results


def fold_of_photos(answers: Array, sets: Array) -> Array:
    """Fold of each photo, int64, shape (N,): `ALWAYS`, or the one of `FOLDS` folds that its set is in.

    Sets are dealt out in turn, ordered by their most frequent label and their size, so that the folds have about equal
    shares of each label. The photos of a fold can be left out without losing a label.

    Args:
        answers: Label index of each photo, `UNLABELLED` for none, shape (N,).
        sets: Set of each photo as an index, shape (N,).
    """
    folds = np.full(len(answers), ALWAYS, np.int64)
    known = np.flatnonzero(answers != UNLABELLED)
    if not len(known):
        return folds
    labels, (names, owner) = answers[known], np.unique(sets[known], return_inverse=True)
    counts = np.zeros((len(names), int(labels.max()) + 1), np.int64)
    np.add.at(counts, (owner, labels), 1)
    order = np.lexsort((np.arange(len(names)), -counts.sum(1), counts.argmax(1)))
    fold_of_set = np.empty(len(names), np.int64)
    fold_of_set[order] = np.arange(len(names)) % FOLDS
    for label in np.flatnonzero(counts.sum(0)):
        holders = np.flatnonzero(counts[:, label])
        if len(np.unique(fold_of_set[holders])) == 1:
            fold_of_set[holders[0]] = ALWAYS
    folds[known] = fold_of_set[owner]
    return folds


def _names(skill: str) -> list[str]:
    """Names of a skill's fits: on all photos, and without those of each fold."""
    return [skill, *(f"{skill}/{fold}" for fold in range(FOLDS))]


def _calls(lane: Lane) -> Iterator[list[str]]:
    """Yield the skills in groups, none with more logits than fit into memory unless it is a single skill."""
    group: list[str] = []
    size = 0
    for skill, labels in lane.labels.items():
        own = len(lane.train) * len(labels) * (FOLDS + 1)
        if group and size + own > _LOGITS:
            yield group
            group, size = [], 0
        group.append(skill)
        size += own
    if group:
        yield group


def _repeated(lane: Lane, folds: Array) -> Lane:
    """Return a lane with `FOLDS` + 1 skills for each of `lane`; all but the first lack the answers of one fold."""
    columns = (len(lane.train), -1)  # of each skill in turn: its fit on all photos, then those of the folds

    def without_a_fold(answers: Array) -> Array:
        parts = [np.where(folds == fold, UNLABELLED, answers) for fold in range(FOLDS)]
        return np.stack([answers, *parts], axis=2).reshape(columns)

    held_out = [np.where(folds == fold, lane.answers, UNLABELLED) for fold in range(FOLDS)]
    return Lane(
        labels={name: labels for skill, labels in lane.labels.items() for name in _names(skill)},
        train=lane.train,
        views=lane.views,
        answers=without_a_fold(lane.answers),
        train_sets=lane.train_sets,
        validation=lane.train,
        validation_answers=np.stack([np.full_like(lane.answers, UNLABELLED), *held_out], axis=2).reshape(columns),
        validation_sets=lane.train_sets,
        class_weights=lane.class_weights,
        view_answers=tuple(without_a_fold(answers) for answers in lane.view_answers),
        starts={name: start for skill, start in lane.starts.items() if skill in lane.labels for name in _names(skill)},
        policies={name: lane.policy(skill) for skill in lane.skills for name in _names(skill)},
    )
