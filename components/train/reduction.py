"""Reduced dimensions: scaled features rotated to their principal axes, once for all skills of a lane.

scikit-learn's PCA would copy all features to float64, or lose digits in float32; here only blocks are float64.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float32]

_ROWS = 4096  # photos per block: the copy in float64 is never larger


@dataclass(frozen=True, eq=False)
class Reduction:
    """Principal axes of scaled features (Pearson, 1901; Hotelling, 1933).

    Attributes:
        offset: Mean of each feature, float32, shape (D,).
        projection: Scaling and rotation in one, float32, shape (D, P).
        variances: Variance along each axis, in decreasing order, float32, shape (P,).
        explained: Share of the variance along the P axes, in [0, 1].
    """

    offset: Floats
    projection: Floats
    variances: Floats
    explained: float

    def __call__(self, features: Array) -> Floats:
        """Return the features along the axes: (N, D) to float32 (N, P)."""
        return np.asarray((features - self.offset) @ self.projection, np.float32)


def fit_reduction(features: Array, components: int, *, scaled: bool = True) -> Reduction:
    """Fit the reduction to at most `components` axes.

    Features are Pareto-scaled: divided by the root of their standard deviation (van den Berg et al., 2006,
    doi:10.1186/1471-2164-7-142). Unscaled, the few features of large variance would dominate; standardised, the many
    of small variance, which are mostly noise, would count as much. A common factor then makes the mean variance 1.

    Args:
        features: Training photos, shape (N, D).
        components: Maximum number of axes. Axes without variance are left out, except for the first.
        scaled: Scale the features; False only centres them.
    """
    rows, dimensions = features.shape
    mean = features.mean(0, dtype=np.float64)
    covariance = np.zeros((dimensions, dimensions))
    for start in range(0, rows, _ROWS):
        block = features[start : start + _ROWS].astype(np.float64) - mean
        covariance += block.T @ block
    covariance /= rows
    deviation = np.sqrt(np.diag(covariance))
    scale = _pareto(deviation) if scaled else np.ones(dimensions)
    variances, axes = np.linalg.eigh(covariance / np.outer(scale, scale))
    variances, axes = variances[::-1].clip(min=0), axes[:, ::-1]
    # float32 has about seven digits: variances below 1e-7 of the greatest are rounding
    kept = max(1, min(components, int((variances > 1e-7 * variances[0]).sum())))
    # The sign of an eigenvector is arbitrary: a positive largest entry makes machines agree.
    top = axes[np.abs(axes).argmax(0), np.arange(dimensions)]
    axes = axes * np.where(top < 0, -1, 1)
    total = float(variances.sum())
    return Reduction(
        offset=mean.astype(np.float32),
        projection=np.asarray(axes[:, :kept] / scale[:, None], np.float32),
        variances=variances[:kept].astype(np.float32),
        explained=float(variances[:kept].sum() / total) if total > 0 else 1.0,
    )


def _pareto(deviation: Array) -> Array:
    """Divisor of each feature, from its standard deviation; all shapes (D,)."""
    # The floor keeps the rounding errors of a nearly constant feature small.
    roots = np.sqrt(np.maximum(deviation, 1e-6 * max(float(deviation.max()), 1e-6)))
    scaled = deviation / roots
    factor = np.sqrt(np.mean(scaled**2))
    return np.asarray(roots * (factor if factor > 0 else 1))
