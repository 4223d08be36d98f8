"""Calibration: making a probability of 0.8 mean that eight answers in ten are right, and measuring the gap."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Doubles = NDArray[np.float64]

_COLDEST, _HOTTEST = 1e-3, 1e3  # temperatures beyond these leave nothing but certainty, or nothing but chance
_HALVINGS = 60  # of a factor of a million: far below what float32 logits can tell apart


def fit_temperature(logits: Array, answers: Array) -> float:
    """The temperature T under which softmax(logits / T) fits the answers best.

    Temperature scaling (Guo, Pleiss, Sun & Weinberger, "On calibration of modern neural networks", 2017, arXiv
    1706.04599): it minimises the log loss, changes no answer, and being one number it cannot overfit much. The log
    loss is convex in 1 / T, so its derivative, mean(E[logit] - logit of the true label), is bisected. One more photo
    whose label is a toss-up keeps T finite where all answers are right (after Platt, 1999).

    Args:
        logits: Shape (N, K), of photos that the head was not trained on.
        answers: Label indices, shape (N,).

    Returns:
        T > 0; 1 without photos.
    """
    if not len(answers):
        return 1.0
    # only differences between a row's logits matter: shifted, exp() cannot overflow
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    rows, labels = shifted.shape
    chosen = np.full((rows, labels), 1 / (labels * rows))
    chosen[np.arange(rows), answers] += 1
    target = float((shifted * chosen / (1 + 1 / rows)).sum())

    def slope(inverse: float) -> float:
        exponent = np.exp(shifted * inverse)
        return float((shifted * exponent).sum(1) @ (1 / exponent.sum(1))) - target

    low, high = 1 / _HOTTEST, 1 / _COLDEST
    for _ in range(_HALVINGS):
        middle = (low * high) ** 0.5
        if slope(middle) < 0:
            low = middle
        else:
            high = middle
    return float(1 / (low * high) ** 0.5)


@dataclass(frozen=True, eq=False)
class Reliability:
    """Answers by their confidence, in bins of equal width.

    Attributes:
        edges: Borders of the bins, shape (B + 1,), from 0 to 1.
        photos: Photos per bin, shape (B,).
        confidence: Mean confidence per bin, shape (B,); NaN where a bin is empty.
        accuracy: Share of right answers per bin, shape (B,); NaN where a bin is empty.
    """

    edges: Doubles
    photos: Array
    confidence: Doubles
    accuracy: Doubles

    @property
    def expected_error(self) -> float:
        """Expected calibration error: |accuracy - confidence|, weighted by photos; NaN without any.

        Naeini, Cooper & Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", 2015,
        doi:10.1609/aaai.v29i1.9602.
        """
        total = self.photos.sum()
        if not total:
            return float("nan")
        gaps = np.abs(self.accuracy - self.confidence)
        return float(np.nansum(gaps * self.photos) / total)


def reliability(probabilities: Array, answers: Array, bins: int) -> Reliability:
    """Confidence, the greatest probability of a row, against how often the answer is right.

    Args:
        probabilities: Shape (N, K), rows summing to 1.
        answers: Label indices, shape (N,).
        bins: Number of bins B; bin b holds confidences in (b / B, (b + 1) / B].
    """
    confidence = probabilities.max(1, initial=0).astype(np.float64)
    right = probabilities.argmax(1) == answers if len(answers) else np.zeros(0, bool)
    index = (np.ceil(confidence * bins) - 1).clip(0, bins - 1).astype(np.int64)
    photos = np.bincount(index, minlength=bins)

    def mean(values: Array) -> Doubles:
        result = np.full(bins, np.nan)
        np.divide(np.bincount(index, weights=values, minlength=bins), photos, out=result, where=photos > 0)
        return result

    return Reliability(np.linspace(0, 1, bins + 1), photos, mean(confidence), mean(right.astype(np.float64)))
