"""Reduced dimensions: standardised features turned to their principal axes, once for all skills of a lane."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float32]

_ROWS = 4096  # photos per block: float64 is never made of more than these


@dataclass(frozen=True, eq=False)
class Reduction:
    """Principal axes of standardised features (Pearson, 1901; Hotelling, 1933).

    Attributes:
        offset: Mean of each feature, float32, shape (D,).
        projection: Standardisation and rotation in one, float32, shape (D, P).
        variances: Variance along each axis, falling, float32, shape (P,).
        explained: Share of the variance that the P axes hold, in [0, 1].
    """

    offset: Floats
    projection: Floats
    variances: Floats
    explained: float

    def __call__(self, features: Array) -> Floats:
        """The features along the axes: (N, D) to float32 (N, P)."""
        return np.asarray((features - self.offset) @ self.projection, np.float32)


def fit_reduction(features: Array, components: int, *, standardise: bool = True) -> Reduction:
    """The reduction to at most `components` axes.

    Args:
        features: Training photos, shape (N, D).
        components: Most axes to keep. Axes without variance are left out, so fewer may come back; at least one does.
        standardise: Scale every feature to variance 1 first; a constant feature is left as it is.
    """
    rows, dimensions = features.shape
    mean = features.mean(0, dtype=np.float64)
    covariance = np.zeros((dimensions, dimensions))
    for start in range(0, rows, _ROWS):
        block = features[start : start + _ROWS].astype(np.float64) - mean
        covariance += block.T @ block
    covariance /= rows
    deviation = np.sqrt(np.diag(covariance))
    constant = deviation <= 1e-6 * max(float(deviation.max(initial=0)), 1e-12)
    scale = np.where(constant | (not standardise), 1, deviation)
    variances, axes = np.linalg.eigh(covariance / np.outer(scale, scale))
    variances, axes = variances[::-1].clip(min=0), axes[:, ::-1]
    # float32 holds about seven digits: what lies below 1e-7 of the greatest variance is rounding, not signal
    kept = max(1, min(components, int((variances > 1e-7 * variances[0]).sum())))
    # eigenvectors come with an arbitrary sign: the largest entry is made positive, so that machines agree
    top = axes[np.abs(axes).argmax(0), np.arange(dimensions)]
    axes = axes * np.where(top < 0, -1, 1)
    total = float(variances.sum())
    return Reduction(
        offset=mean.astype(np.float32),
        projection=np.asarray(axes[:, :kept] / scale[:, None], np.float32),
        variances=variances[:kept].astype(np.float32),
        explained=float(variances[:kept].sum() / total) if total > 0 else 1.0,
    )
