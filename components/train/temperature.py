"""Temperature: the one number that makes a head's confidence fit how often it is right."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

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
