"""Label noise of a skill: suspicious labels, how many labels are wrong, and which are taken for which."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.bootstrap import Interval
from coachworks.models.head import softmax
from components.train.calibration import Calibration
from components.train.out_of_fold import OutOfFold

Array = NDArray[Any]
Doubles = NDArray[np.float64]

CONFIDENCE = 0.95  # of the interval
_SLACK = 1e-6  # probabilities that differ by less are equal: they are float32


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelNoise:
    """Estimated noise of a skill's labels, from photos that were answered by a head fitted without their set.

    Attributes:
        photos: Number of these photos, N.
        level: Share of wrong labels among them, with the interval of its sampling error; NaN without photos.
        joint: Estimated number of photos by given label (rows) and true label (columns), shape (K, K), summing to N.
        rows: Photos with a suspicious label, the most suspicious first: rows in the lane's table, shape (M,).
        labelled: Their labels as indices, shape (M,).
        proposed: The labels that the out-of-fold answers give them, shape (M,).
        probabilities: Probability of the given and of the proposed label, shape (M, 2).
    """

    photos: int
    level: Interval
    joint: Doubles
    rows: Array
    labelled: Array
    proposed: Array
    probabilities: Array

    @property
    def transition(self) -> Doubles:
        """Probability of each given label (columns) of a photo by its true label (rows), shape (K, K)."""
        totals = self.joint.sum(0)
        shares = self.joint / np.where(totals > 0, totals, 1)
        return np.where(totals > 0, shares, np.eye(len(totals))).T


def judge_labels(answered: OutOfFold, calibration: Calibration, answers: Array, sets: Array) -> LabelNoise:
    """Estimate the noise of a skill's labels from the out-of-fold answers of its winner.

    Args:
        answered: The out-of-fold answers.
        calibration: Their correction.
        answers: Label indices of the lane's training table, shape (N,).
        sets: Set of each of these photos, shape (N,).
    """
    probabilities = softmax(calibration.corrected(answered.logits), calibration.temperature)
    labelled = answers[answered.rows]
    true = confident_labels(labelled, probabilities)
    joint = confident_joint(labelled, true, probabilities.shape[1])
    best = probabilities.argmax(1)
    suspicious = np.flatnonzero((true >= 0) & (true != labelled) & (best != labelled))
    chosen = probabilities[suspicious]
    number = np.arange(len(suspicious))
    pair = np.stack([chosen[number, labelled[suspicious]], chosen[number, true[suspicious]]], axis=1)
    order = np.lexsort((answered.rows[suspicious], pair[:, 0] - chosen.max(1, initial=0)))
    listed = suspicious[order]
    return LabelNoise(
        photos=len(labelled),
        level=_level(labelled, true, joint, sets[answered.rows]),
        joint=joint,
        rows=answered.rows[listed],
        labelled=labelled[listed],
        proposed=true[listed],
        probabilities=pair[order],
    )


def confident_labels(labelled: Array, probabilities: Array) -> Array:
    """Confident label of each photo, int64, shape (N,); -1 where the answers are not confident of any.

    Confident learning (Northcutt, Jiang & Chuang, 2021, arXiv 1911.00068): a photo is counted as one of a label if the
    label's probability is at least its mean over the photos that were given this label. So a label that the head is
    rarely sure of needs less. Of several such labels the most probable counts.

    Args:
        labelled: Label indices, shape (N,).
        probabilities: Out-of-fold, calibrated, shape (N, K).
    """
    labels = probabilities.shape[1]
    counts = np.bincount(labelled, minlength=labels)
    own = probabilities[np.arange(len(labelled)), labelled].astype(np.float64)
    means = np.bincount(labelled, weights=own, minlength=labels) / np.maximum(counts, 1)
    confident = probabilities >= np.where(counts > 0, means, np.inf) - _SLACK
    number = confident.sum(1)
    chosen = np.where(number > 1, probabilities.argmax(1), confident.argmax(1))
    return np.where(number > 0, chosen, -1).astype(np.int64)


def confident_joint(labelled: Array, true: Array, labels: int) -> Doubles:
    """Estimated number of photos by given and true label, shape (K, K): each row sums to the photos given this label.

    Args:
        labelled: Label indices, shape (N,).
        true: Confident labels, -1 for none, shape (N,).
        labels: Number of labels, K.
    """
    counted = true >= 0
    counts = np.bincount(labelled[counted] * labels + true[counted], minlength=labels**2).reshape(labels, labels)
    np.fill_diagonal(counts, np.maximum(counts.diagonal(), 1))  # a label without a confident photo is taken as right
    return np.asarray(counts / counts.sum(1, keepdims=True) * np.bincount(labelled, minlength=labels)[:, None])


def _level(labelled: Array, true: Array, joint: Doubles, sets: Array) -> Interval:
    """Share of wrong labels with its interval.

    The share is a sum of ratios; its variance follows by linearisation, the photos of a set counting as one
    observation. The interval is that of Clopper & Pearson for the number of independent photos that would have this
    variance (Korn & Graubard, 1998, "Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data"), which stays within [0, 1].
    """
    from scipy.special import betaincinv

    photos = len(labelled)
    if not photos:
        return Interval(np.nan, np.nan, np.nan)
    level = float(1 - joint.trace() / photos)
    labels = len(joint)
    confident = true >= 0
    held = np.maximum(np.bincount(labelled[confident], minlength=labels), 1)
    right = joint.diagonal() / np.maximum(joint.sum(1), 1)
    change = right[labelled] - (1 - level)
    change += (
        confident * (np.bincount(labelled, minlength=labels) / held)[labelled] * ((true == labelled) - right[labelled])
    )
    _, owner = np.unique(sets, return_inverse=True)
    sums = np.bincount(owner, weights=change / photos)
    variance = float((sums**2).sum()) * len(sums) / max(len(sums) - 1, 1)
    spread = level * (1 - level)
    size = min(spread / variance, photos) if variance > 0 and spread > 0 else float(len(sums))
    wrong, tail = level * size, (1 - CONFIDENCE) / 2
    low = float(betaincinv(wrong, size - wrong + 1, tail)) if wrong > 0 else 0.0
    high = float(betaincinv(wrong + 1, size - wrong, 1 - tail)) if wrong < size else 1.0
    return Interval(level, min(low, level), max(high, level))
