"""Temperature: the number that makes a head's confidence fit its share of right answers."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_COLDEST, _HOTTEST = 1e-3, 1e3  # beyond these every answer is certain, or all labels are equally likely
_TOLERANCE = 1e-5  # relative error of the temperature


def fit_temperature(logits: Array, answers: Array) -> float:
    """Return the temperature T with which softmax(logits / T) fits the answers best.

    Temperature scaling (Guo, Pleiss, Sun & Weinberger, "On calibration of modern neural networks", 2017, arXiv
    1706.04599): it minimises the log loss, changes no answer, and with one parameter it can hardly overfit. The log
    loss is convex in 1 / T, so a bounded scalar search in log T finds the minimum. One more photo with equal shares of
    all labels keeps T finite where all answers are right (after Platt, 1999).

    Args:
        logits: Shape (N, K), of photos that the head was not trained on.
        answers: Label indices, shape (N,).

    Returns:
        T > 0; 1 without photos.
    """
    from scipy.optimize import minimize_scalar

    if not len(answers):
        return 1.0
    # Only differences between a row's logits matter; with a maximum of 0, exp() cannot overflow.
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    photos = len(shifted)
    # Logits of the true labels; the mean of all logits is that of the additional photo.
    true = float(shifted[np.arange(photos), answers].sum() + shifted.mean())

    def loss(log_temperature: float) -> float:
        inverse = math.exp(-log_temperature)
        partition = float(np.log(np.exp(shifted * inverse).sum(1)).sum())
        return partition * (1 + 1 / photos) - true * inverse

    bounds = (math.log(_COLDEST), math.log(_HOTTEST))
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": _TOLERANCE}).x)
