"""Calibration: agreement of probabilities with the shares of right answers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Reliability diagram: answers by their confidence, in bins of equal width (DeGroot & Fienberg, 1983).

    Attributes:
        edges: Edges of the bins, shape (B + 1,), from 0 to 1.
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
    """Compare the confidence, the greatest probability of a row, with the share of right answers.

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
