"""Reduced dimensions: scaled features rotated to their principal axes, once for all skills of a lane.

The features are read in blocks of photos, once for the mean, once for the covariance and once for the result: memory
does not grow with the number of photos. scikit-learn's PCA would copy all features to float64, or lose digits in
float32; here only blocks are float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.feature_table import FeatureTable, blocks

Array = NDArray[Any]
Floats = NDArray[np.float32]

_FITTED_ROWS = 8192  # photos that the axes of many features are fitted on
_OVERSAMPLING, _ITERATIONS = 64, 2


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

    def __call__(self, features: FeatureTable) -> Floats:
        """Return the features along the axes: (N, D) to float32 (N, P)."""
        return project(features, self.projection, self.offset)


def project(features: FeatureTable, axes: Array, offset: Array | None = None) -> Floats:
    """Return the features (N, D), less `offset` (D,), along `axes` (D, P): float32, shape (N, P)."""
    projected = np.empty((features.shape[0], axes.shape[1]), np.float32)
    start = 0
    for block in blocks(features):
        projected[start : start + len(block)] = (block if offset is None else block - offset) @ axes
        start += len(block)
    return projected


def fit_reduction(features: FeatureTable, components: int, *, scaled: bool = True) -> Reduction:
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
    mean = _mean(features)
    covariance = np.zeros((dimensions, dimensions))
    for block in blocks(features):
        centred = block.astype(np.float64)
        centred -= mean
        covariance += centred.T @ centred
    covariance /= rows
    deviation = np.sqrt(np.diag(covariance))
    scale = _pareto(deviation) if scaled else np.ones(dimensions)
    covariance /= scale[:, None]
    covariance /= scale
    variances, axes = np.linalg.eigh(covariance)
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


def _mean(features: FeatureTable) -> Array:
    """Mean of each feature, float64, shape (D,)."""
    total = np.zeros(features.shape[1])
    for block in blocks(features):
        total += block.sum(0, dtype=np.float64)
    return total / features.shape[0]


def _pareto(deviation: Array) -> Array:
    """Divisor of each feature, from its standard deviation; all shapes (D,)."""
    # The floor keeps the rounding errors of a nearly constant feature small.
    roots = np.sqrt(np.maximum(deviation, 1e-6 * max(float(deviation.max()), 1e-6)))
    scaled = deviation / roots
    factor = np.sqrt(np.mean(scaled**2))
    return np.asarray(roots * (factor if factor > 0 else 1))


def fit_wide_reduction(features: FeatureTable, components: int) -> Reduction:
    """Fit the reduction of many features approximately, from at most `_FITTED_ROWS` photos.

    The scaling is that of `fit_reduction`. The axes come from randomised subspace iteration (Halko, Martinsson & Tropp,
    2011, doi:10.1137/090771806, algorithm 4.4), whose cost is linear in the number of features, that of an
    eigendecomposition cubic. The random start is fixed.

    Args:
        features: Training photos, shape (N, D).
        components: Maximum number of axes.
    """
    rows, dimensions = features.shape
    mean = _mean(features)
    fitted = np.array(features[:: -(-rows // _FITTED_ROWS)], np.float32)
    fitted -= mean.astype(np.float32)
    scale = _pareto(np.sqrt(_squares(fitted)))
    fitted /= scale.astype(np.float32)
    width = min(components + _OVERSAMPLING, *fitted.shape)
    basis = np.random.default_rng(0).standard_normal((dimensions, width), np.float32)
    for _ in range(_ITERATIONS):
        basis = np.linalg.qr(fitted.T @ (fitted @ basis))[0]
    inner = fit_reduction(fitted @ basis, components, scaled=False)
    total = float(_squares(fitted).sum())
    return Reduction(
        offset=mean.astype(np.float32),
        projection=np.asarray(basis @ inner.projection / scale[:, None], np.float32),
        variances=inner.variances,
        explained=min(1.0, float(inner.variances.sum()) / total) if total > 0 else 1.0,
    )


def _squares(table: Floats) -> Array:
    """Mean square of each column, float64, shape (D,)."""
    return np.asarray(np.einsum("nd,nd->d", table, table, dtype=np.float64) / len(table))


def join(parts: Sequence[Reduction], scores: FeatureTable, components: int) -> tuple[Reduction, Floats]:
    """Reduce several groups of features together, from the reduced dimensions of each.

    Args:
        parts: The reduction of each group; the variance of the first sets that of the result, so that a strength of
            regularisation means the same for every set of groups.
        scores: Training photos along the axes of all parts, side by side, shape (N, P1 + P2 + …).
        components: Maximum number of axes.

    Returns:
        The reduction of the groups' features, side by side; and its axes in `scores`, shape (P1 + P2 + …, P).
    """
    joint = fit_reduction(scores, components, scaled=False)
    total = float(joint.variances.sum())
    factor = (float(parts[0].variances.sum()) / total) ** 0.5 if total > 0 else 1.0
    axes = np.asarray(joint.projection * factor, np.float32)
    blocks, start = [], 0
    for part in parts:
        count = part.projection.shape[1]
        blocks.append(part.projection @ axes[start : start + count])
        start += count
    held = sum(float(part.variances.sum()) for part in parts)
    whole = sum(float(part.variances.sum()) / part.explained for part in parts)
    reduction = Reduction(
        offset=np.concatenate([part.offset for part in parts]),
        projection=np.concatenate(blocks),
        variances=np.asarray(joint.variances * factor**2, np.float32),
        explained=joint.explained * held / whole if whole > 0 else 1.0,
    )
    return reduction, axes
