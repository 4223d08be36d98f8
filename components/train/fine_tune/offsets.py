"""Offsets: what the network's logits get from the frozen part of the backbone, beside what its own blocks give.

A linear head on thousands of numbers answers the photos that it was fitted on without a mistake, so there is nothing
left to learn from them. For each training photo the head that was fitted without its fold takes its place: the network
then begins with the mistakes that the head makes on new photos (cross-fitting; Stone, 1974,
doi:10.1111/j.2517-6161.1974.tb00994.x).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.feature_groups import LAST
from coachworks.feature_table import BLOCK_ROWS
from components.train import linear
from components.train.config import TrainConfig
from components.train.lane import UNLABELLED, Lane
from components.train.out_of_fold import FOLDS, fold_of_photos
from components.train.reading import Read
from components.train.reduction import Reduction

Array = NDArray[Any]
Floats = NDArray[np.float32]
Head = Mapping[str, Array]  # arrays of a linear head: `weight` (K, D), `bias` (K,)


def cross_fit(
    lane: Lane, skill: str, reduction: Reduction, config: TrainConfig, parameters: Mapping[str, Any]
) -> tuple[list[Head], Array]:
    """Fit a skill's linear head without each of the folds of its training photos.

    Args:
        lane: The lane.
        skill: The skill.
        reduction: The lane's reduction.
        config: Settings.
        parameters: Parameters of the head on all training photos.

    Returns:
        The heads, and the fold of each training photo, shape (N,); -1 for photos without which a label has none.
    """
    part = lane.subset([skill])
    folds = fold_of_photos(part.answers[:, 0], part.train_sets)

    def without_a_fold(answers: Array) -> Array:
        return np.stack([np.where(folds == fold, UNLABELLED, answers[:, 0]) for fold in range(FOLDS)], axis=1)

    names = [f"{skill}/{fold}" for fold in range(FOLDS)]
    folded = Lane(
        labels=dict.fromkeys(names, part.labels[skill]),
        train=part.train,
        views=part.views,
        answers=without_a_fold(part.answers),
        train_sets=part.train_sets,
        validation=part.validation[:0],
        validation_answers=np.empty((0, FOLDS), np.int64),
        validation_sets=part.validation_sets[:0],
        policies=dict.fromkeys(names, part.policy(skill)),
        view_answers=tuple(without_a_fold(answers) for answers in part.view_answers),
    )
    heads = linear.fit(folded, reduction, config, dict.fromkeys(names, parameters))
    return [heads[name].arrays for name in names], folds


def offsets_of(
    read: Read,
    photo_ids: Sequence[str],
    view: int,
    sizes: Mapping[str, int],
    whole: Head,
    heads: Sequence[Head] = (),
    folds: Array | None = None,
) -> Floats:
    """Return the offsets of photos in one view, shape (N, K).

    The network adds to them the pooled output of its blocks times the weights of `last` in `whole`, and the biases of
    `whole`; so before training its logits are those of `whole`, or of the head without the photo's fold.

    Args:
        read: Reads features.
        photo_ids: The photos.
        view: Their view.
        sizes: Numbers per photo of each group that the heads read, in their order.
        whole: The head on all training photos.
        heads: The heads without each fold.
        folds: Fold of each photo, -1 for none, shape (N,); None: none has a fold.
    """
    offsets = np.zeros((len(photo_ids), len(whole["bias"])), np.float32)
    if not len(photo_ids):
        return offsets
    folds = np.full(len(photo_ids), -1) if folds is None else folds
    column = 0
    for group, size in sizes.items():
        own = slice(column, column + size)
        column += size
        if group == LAST and not (folds >= 0).any():
            continue
        numbers = read(photo_ids, view, group)
        for fold in np.unique(folds):
            head = whole if fold < 0 else heads[fold]
            weight = head["weight"][:, own] - (whole["weight"][:, own] if group == LAST else 0)
            rows = np.flatnonzero(folds == fold)
            for block in np.split(rows, range(BLOCK_ROWS, len(rows), BLOCK_ROWS)):
                offsets[block] += numbers[block] @ weight.T
    for fold in np.unique(folds[folds >= 0]):
        offsets[folds == fold] += heads[fold]["bias"] - whole["bias"]
    return offsets
