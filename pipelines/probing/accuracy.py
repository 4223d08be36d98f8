"""Accuracy that a backbone's features give each skill, out of fold."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.train.lane import UNLABELLED, Lane
from pipelines.probing.sample import Sample

Array = NDArray[Any]


def predict_out_of_fold(sample: Sample, features: Array, *, components: int) -> Array:
    """Return the label that linear heads answer for each photo and skill, trained on the other folds.

    Args:
        sample: The photos.
        features: float32, shape (N, D).
        components: Largest number of principal components that the heads see.

    Returns:
        Label indices, shape (N, S); `UNLABELLED` where a fold leaves a skill with one label to learn.
    """
    from components.train import linear
    from components.train.config import TrainConfig
    from components.train.reduction import fit_reduction

    predicted = np.full(sample.answers.shape, UNLABELLED, np.int64)
    skills = list(sample.labels)
    for fold in np.unique(sample.folds):
        held = sample.folds == fold
        columns = [column for column in range(len(skills)) if _learnable(sample.answers[:, column], held)]
        if not columns:
            continue
        reduction = fit_reduction(features[~held], components)
        lane = Lane(
            labels={skills[column]: sample.labels[skills[column]] for column in columns},
            train=reduction(features[~held]),
            views=(),
            answers=sample.answers[~held][:, columns],
            train_sets=sample.sets[~held],
            validation=reduction(features[held]),
            validation_answers=sample.answers[held][:, columns],
            validation_sets=sample.sets[held],
        )
        fitted = linear.fit(lane, reduction, TrainConfig(components=components))
        for column in columns:
            predicted[held, column] = np.asarray(fitted[skills[column]].logits).argmax(1)
    return predicted


def _learnable(answers: Array, held: Array) -> bool:
    known = answers != UNLABELLED
    return len(np.unique(answers[known & ~held])) >= 2 and bool((known & held).any())


def balanced_accuracies(
    sample: Sample, predicted: Array, *, replicates: int, seed: int
) -> dict[str, tuple[float, Array]]:
    """Return each skill's balanced accuracy, and that of bootstrap samples of its sets, shape (replicates,).

    The same seed draws the same sets for every backbone: differences between backbones are paired.
    """
    from coachworks.bootstrap import resampled
    from coachworks.scores import tally, tally_by_set

    result = {}
    for column, (skill, labels) in enumerate(sample.labels.items()):
        answers, guesses = sample.answers[:, column], predicted[:, column]
        known = (answers != UNLABELLED) & (guesses != UNLABELLED)
        counted = answers[known], guesses[known], len(labels)
        drawn = resampled(tally_by_set(*counted, sample.sets[known]), replicates, seed).balanced_accuracy
        result[skill] = float(tally(*counted).balanced_accuracy), drawn
    return result
