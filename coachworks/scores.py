"""Scores of answers against the truth."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tally:
    """Counts of photos per label, from which all scores follow; leading axes are replicates or sets.

    Attributes:
        right: Photos of the label that were answered with it, shape (…, K).
        true: Photos of the label, shape (…, K).
        answered: Photos answered with the label, shape (…, K).
    """

    right: Doubles
    true: Doubles
    answered: Doubles

    @property
    def total(self) -> "Tally":
        """The tallies of the first axis added up, shape (…, K)."""
        return Tally(self.right.sum(0), self.true.sum(0), self.answered.sum(0))

    @property
    def recall(self) -> Doubles:
        """Share of a label's photos that were answered with it, shape (…, K); NaN where there are none."""
        return share(self.right, self.true)

    @property
    def precision(self) -> Doubles:
        """Share of the answers with a label that were right, shape (…, K); NaN where there are none."""
        return share(self.right, self.answered)

    @property
    def f1(self) -> Doubles:
        """Harmonic mean of precision and recall, shape (…, K); NaN where the label neither occurs nor is answered."""
        return share(2 * self.right, self.true + self.answered)

    @property
    def balanced_accuracy(self) -> Doubles:
        """Mean recall of the labels that occur, shape (…); NaN without photos.

        Brodersen, Ong, Stephan & Buhmann, "The balanced accuracy and its posterior distribution", 2010,
        doi:10.1109/ICPR.2010.764.
        """
        return mean_of_known(self.recall)

    @property
    def macro_f1(self) -> Doubles:
        """Mean F1 of the labels that occur or are answered, shape (…); NaN without photos."""
        return mean_of_known(self.f1)

    @property
    def accuracy(self) -> Doubles:
        """Share of right answers, shape (…); NaN without photos."""
        return share(self.right.sum(-1), self.true.sum(-1))


def share(part: Doubles, whole: Doubles) -> Doubles:
    """Return `part / whole`, NaN where the whole is 0."""
    result = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=result, where=np.asarray(whole) > 0)
    return result


def mean_of_known(values: Doubles) -> Doubles:
    """Mean over the last axis without the NaN entries; NaN where there are no others."""
    known = ~np.isnan(values)
    return share(np.where(known, values, 0).sum(-1), known.sum(-1).astype(np.float64))


def tally(answers: Array, predicted: Array, labels: int) -> Tally:
    """Tally of label indices `predicted` against the true `answers`, both of shape (N,)."""
    right = np.bincount(answers[answers == predicted], minlength=labels)
    true, answered = np.bincount(answers, minlength=labels), np.bincount(predicted, minlength=labels)
    return Tally(right.astype(np.float64), true.astype(np.float64), answered.astype(np.float64))


def tally_by_set(answers: Array, predicted: Array, labels: int, sets: Array) -> Tally:
    """Tally of each set, arrays of shape (different sets, K); `sets` names the set of each photo, shape (N,)."""
    names, index = np.unique(sets, return_inverse=True)

    def count(photos: Array, label: Array) -> Doubles:
        counts = np.zeros((len(names), labels))
        np.add.at(counts, (index[photos], label[photos]), 1)
        return counts

    every = np.ones(len(answers), bool)
    return Tally(count(answers == predicted, answers), count(every, answers), count(every, predicted))


def log_loss(probabilities: Array, answers: Array, weights: Array | None = None) -> float:
    """Mean of -log(probability of the true label) in nats; NaN without photos.

    Args:
        probabilities: Shape (N, K).
        answers: Label indices, shape (N,).
        weights: Weight of each photo, shape (N,); None weighs all alike.
    """
    if not len(answers):
        return float("nan")
    chosen = probabilities[np.arange(len(answers)), answers].astype(np.float64)
    losses = -np.log(np.maximum(chosen, 1e-12))  # keeps the loss of a probability of 0 finite
    return float(np.average(losses, weights=weights))
