"""Temperature: the number that makes a head's confidence fit its share of right answers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_COLDEST, _HOTTEST = 1e-3, 1e3  # beyond these every answer is certain, or all labels are equally likely
_TOLERANCE = 1e-12  # of 1 / T; a looser one would enlarge the rounding differences between two machines


def fit_temperature(logits: Array, answers: Array) -> float:
    """Return the temperature T with which softmax(logits / T) fits the answers best.

    Temperature scaling (Guo, Pleiss, Sun & Weinberger, "On calibration of modern neural networks", 2017, arXiv
    1706.04599): it minimises the log loss, changes no answer, and with one parameter it can hardly overfit. The log
    loss is convex in 1 / T, so the root of its derivative is the minimum. One more photo with equal shares of
    all labels keeps T finite where all answers are right (after Platt, 1999).

    Args:
        logits: Shape (N, K), of photos that the head was not trained on.
        answers: Label indices, shape (N,).

    Returns:
        T > 0; 1 without photos.
    """
    from scipy.optimize import brentq

    if not len(answers):
        return 1.0
    # Only differences between a row's logits matter; with a maximum of 0, exp() cannot overflow.
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    photos = len(shifted)
    # Logits of the true labels; the mean of all logits is that of the additional photo.
    true = float(shifted[np.arange(photos), answers].sum() + shifted.mean())

    def slope(inverse: float) -> float:
        """Return the derivative of the log loss by 1 / T."""
        weights = np.exp(shifted * inverse)
        expected = float(((weights * shifted).sum(1) / weights.sum(1)).sum())
        return expected * (1 + 1 / photos) - true

    if slope(1 / _HOTTEST) >= 0:
        return _HOTTEST
    if slope(1 / _COLDEST) <= 0:
        return _COLDEST
    return 1 / float(brentq(slope, 1 / _HOTTEST, 1 / _COLDEST, xtol=_TOLERANCE, rtol=_TOLERANCE))
