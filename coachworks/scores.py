"""Scores of answers against the truth, and how sure they are when whole sets of photos are drawn again."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Doubles = NDArray[np.float64]

_DRAWN_AT_ONCE = 4_000_000  # replicates × sets per block: 32 MB


@dataclass(frozen=True, eq=False)
class Tally:
    """How often each label was right, true and answered; leading axes are replicates or sets.

    Attributes:
        right: Photos of the label that were answered with it, shape (…, K).
        true: Photos of the label, shape (…, K).
        answered: Photos answered with the label, shape (…, K).
    """

    right: Doubles
    true: Doubles
    answered: Doubles

    @property
    def recall(self) -> Doubles:
        """Share of a label's photos that were found, shape (…, K); NaN where there are none."""
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
        """Mean recall of the labels that occur, shape (…); NaN without photos."""
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
    """`part / whole`, NaN where the whole is 0."""
    result = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=result, where=np.asarray(whole) > 0)
    return result


def mean_of_known(values: Doubles) -> Doubles:
    """Mean over the last axis of what is not NaN; NaN where all is."""
    known = ~np.isnan(values)
    return share(np.where(known, values, 0).sum(-1), known.sum(-1).astype(np.float64))


def tally(answers: Array, predicted: Array, labels: int) -> Tally:
    """The tally of label indices `predicted` against the true `answers`, both of shape (N,)."""
    right = np.bincount(answers[answers == predicted], minlength=labels)
    true, answered = np.bincount(answers, minlength=labels), np.bincount(predicted, minlength=labels)
    return Tally(right.astype(np.float64), true.astype(np.float64), answered.astype(np.float64))


def tally_by_set(answers: Array, predicted: Array, labels: int, sets: Array) -> Tally:
    """The tally of each set: arrays of shape (number of different sets, K). `sets` names each photo's set."""
    names, index = np.unique(sets, return_inverse=True)

    def count(photos: Array, label: Array) -> Doubles:
        counts = np.zeros((len(names), labels))
        np.add.at(counts, (index[photos], label[photos]), 1)
        return counts

    everything = np.ones(len(answers), bool)
    return Tally(count(answers == predicted, answers), count(everything, answers), count(everything, predicted))


def resampled(by_set: Tally, replicates: int, seed: int) -> Tally:
    """Tallies of bootstrap replicates (Efron, 1979, doi:10.1214/aos/1176344552) that draw sets, not photos.

    Photos of one set resemble one another: drawing them one by one would count the same evidence several times
    (Field & Welsh, 2007, doi:10.1111/j.1467-9868.2007.00593.x, on the cluster bootstrap).

    Args:
        by_set: Tallies per set, from `tally_by_set`.
        replicates: How many times to draw as many sets as there are, with replacement.
        seed: Seed of the draws.

    Returns:
        Arrays of shape (replicates, K).
    """
    counts = np.concatenate([by_set.right, by_set.true, by_set.answered], axis=1)
    sums = np.concatenate([drawn @ counts for drawn in _draws(len(counts), replicates, seed)])
    right, true, answered = np.split(sums, 3, axis=1)
    return Tally(right, true, answered)


def _draws(sets: int, replicates: int, seed: int) -> Iterator[Doubles]:
    """How often each set was drawn, blocks of shape (≤ replicates, sets)."""
    rng = np.random.default_rng(seed)
    rows = max(1, _DRAWN_AT_ONCE // max(sets, 1))
    for start in range(0, replicates, rows):
        count = min(rows, replicates - start)
        drawn = rng.integers(0, sets, (count, sets)) + sets * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * sets).reshape(count, sets).astype(np.float64)


def log_loss(probabilities: Array, answers: Array, weights: Array | None = None) -> float:
    """Mean of -log(probability of the true label) in nats; NaN without photos.

    Args:
        probabilities: Shape (N, K).
        answers: Label indices, shape (N,).
        weights: What each photo counts, shape (N,); None is alike.
    """
    if not len(answers):
        return float("nan")
    chosen = probabilities[np.arange(len(answers)), answers].astype(np.float64)
    losses = -np.log(np.maximum(chosen, 1e-12))  # a probability of 0 would cost infinity
    return float(np.average(losses, weights=weights))
