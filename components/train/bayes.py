"""Candidate `naive-bayes`: independent Gaussians per label on reduced dimensions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.models.head import Head
from components.train.candidate import Candidate, Chosen, Trial, best_trial
from components.train.config import TrainConfig
from components.train.lane import UNLABELLED, Lane
from components.train.reduction import Reduction

Array = NDArray[Any]
Doubles = NDArray[np.float64]

PRINCIPAL = (16, 64)
DISCRIMINANT_COMPONENTS = 256
SHRINKAGES = (0.1, 0.5)
PRIOR_PHOTOS = 10.0  # a label's variance is blended with that within all labels as if it came from so many photos


def fit(lane: Lane, reduction: Reduction, config: TrainConfig, chosen: Chosen | None = None) -> dict[str, Candidate]:
    """Fit Gaussian naive Bayes after PCA, or after PCA and linear discriminant analysis; validation picks.

    The Bayes rule assumes independent dimensions, and the reductions make that less wrong: principal axes do not
    correlate over all photos, discriminant axes do not correlate within the labels. With `chosen` there is no search:
    it holds the reduction of each skill.
    """
    weights = lane.photo_weights()
    candidates = {}
    for column, (skill, labels) in enumerate(lane.labels.items()):
        known = lane.answers[:, column] != UNLABELLED
        answers, photo_weights = lane.answers[known, column], weights[known, column].astype(np.float64)
        points = lane.train[known].astype(np.float64)
        log_priors = np.log(np.bincount(answers, weights=photo_weights, minlength=len(labels)))
        trials, heads = [], []
        for setting in _settings(points.shape[1]) if chosen is None else (chosen[skill],):
            axes = _axes(setting, points, answers, len(labels))
            if not axes.shape[1]:
                continue
            head = _head(labels, axes, points[:, : len(axes)] @ axes, answers, log_priors)
            parameters = {name: setting[name] for name in ("reduction", "shrinkage") if name in setting}
            parameters["dimensions"] = axes.shape[1]
            trials.append(Trial(parameters, head.logits(lane.validation[:, : len(axes)])))
            heads.append(head)
        best, tried = best_trial(trials, lane.validation_answers[:, column])
        axes = heads[best].arrays["projection"].astype(np.float64)
        candidates[skill] = Candidate(
            arrays={
                **heads[best].arrays,
                "offset": reduction.offset,
                "projection": (reduction.projection[:, : len(axes)].astype(np.float64) @ axes).astype(np.float32),
            },
            logits=trials[best].logits,
            parameters={**trials[best].parameters, "prior_photos": PRIOR_PHOTOS},
            tried=tried,
        )
    return candidates


def _settings(available: int) -> list[dict[str, Any]]:
    """Reductions to try, from `available` components."""
    counts = sorted({min(count, available) for count in PRINCIPAL})
    principal = [{"reduction": "pca", "dimensions": count} for count in counts]
    return principal + [{"reduction": "lda", "shrinkage": shrinkage} for shrinkage in SHRINKAGES]


def _head(labels: tuple[str, ...], axes: Doubles, reduced: Doubles, answers: Array, log_priors: Doubles) -> Head:
    """Head that reads the lane's reduced dimensions, fitted on photos along its axes."""
    means, variances = _gaussians(reduced, answers, len(labels))
    arrays = {
        "offset": np.zeros(len(axes)),
        "projection": axes,
        "means": means,
        "variances": variances,
        "log_priors": log_priors,
    }
    return Head(
        kind="naive-bayes",
        labels=labels,
        arrays={name: array.astype(np.float32) for name, array in arrays.items()},
        backbone_digest="",  # the head is only used for its logits
    )


def _axes(setting: Mapping[str, Any], points: Doubles, answers: Array, labels: int) -> Doubles:
    """Axes of a reduction, shape (components, reduced dimensions); there may be no discriminant axis."""
    if setting["reduction"] == "pca":
        return np.eye(setting["dimensions"])
    return discriminant_axes(points[:, :DISCRIMINANT_COMPONENTS], answers, labels, setting["shrinkage"])


def discriminant_axes(points: Doubles, answers: Array, labels: int, shrinkage: float) -> Doubles:
    """Axes along which the labels are far apart for their width (Fisher, 1936, doi:10.1111/j.1469-1809.1936.tb02137.x).

    The spread of the labels' means is unweighted, to match the balanced accuracy. scikit-learn's
    `LinearDiscriminantAnalysis` weights it by photos, whatever the priors, and so neglects rare labels.

    Args:
        points: Shape (N, P), centred.
        answers: Label indices, shape (N,).
        labels: Number of labels K.
        shrinkage: Weight of a multiple of the identity in the covariance within the labels, in [0, 1] (Friedman, 1989,
            doi:10.1080/01621459.1989.10478752).

    Returns:
        Shape (P, at most K - 1), without axes along which the means do not differ; the covariance within the labels
        along the axes is the identity.
    """
    counts, means = _means(points, answers, labels)
    within = points - means[answers]
    covariance = within.T @ within / len(points)
    dimensions = points.shape[1]
    level = np.trace(covariance) / dimensions
    covariance = (1 - shrinkage) * covariance + shrinkage * max(level, 1e-12) * np.eye(dimensions)
    values, vectors = np.linalg.eigh(covariance)
    # the floor keeps directions without variance within the labels from being blown up to infinity
    whitening = vectors / np.sqrt(np.maximum(values, 1e-12 * values[-1]))
    centres = means[counts > 0] @ whitening
    _, strengths, axes = np.linalg.svd(centres - centres.mean(0), full_matrices=False)
    kept = strengths > 1e-6 * strengths.max(initial=0)  # the rest is rounding: centred means span K - 1 axes
    return np.asarray(whitening @ axes[kept].T)


def _gaussians(points: Doubles, answers: Array, labels: int) -> tuple[Doubles, Doubles]:
    """Means and variances per label, both (K, P); with few photos a variance is close to that within all labels."""
    counts, means = _means(points, answers, labels)
    squares = (points - means[answers]) ** 2
    pooled = squares.mean(0)
    # a variance of 0 would make every other value impossible
    pooled = np.maximum(pooled, 1e-6 * max(float(pooled.max()), 1e-6))
    sums = np.zeros((labels, points.shape[1]))
    np.add.at(sums, answers, squares)
    return means, (sums + PRIOR_PHOTOS * pooled) / (counts + PRIOR_PHOTOS)[:, None]


def _means(points: Doubles, answers: Array, labels: int) -> tuple[Doubles, Doubles]:
    """Number of photos (K,) and mean (K, P) of each label."""
    counts = np.bincount(answers, minlength=labels).astype(np.float64)
    one_hot = np.eye(labels)[answers]
    return counts, (one_hot.T @ points) / np.maximum(counts, 1)[:, None]
