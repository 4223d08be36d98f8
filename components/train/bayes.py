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
PRIOR_PHOTOS = 10.0  # a label's variance is blended with the variance within all labels as if by so many photos


def fit(lane: Lane, reduction: Reduction, config: TrainConfig, chosen: Chosen | None = None) -> dict[str, Candidate]:
    """Gaussian naive Bayes after PCA, or after PCA and linear discriminant analysis: validation picks.

    Independence is what the Bayes rule assumes here, and what the reductions make less wrong: principal axes do not
    correlate over all photos, discriminant axes do not correlate within the labels. `chosen` skips the search: each
    skill's reduction is given.
    """
    weights = lane.photo_weights()
    candidates = {}
    for column, (skill, labels) in enumerate(lane.labels.items()):
        known = lane.answers[:, column] != UNLABELLED
        answers, photo_weights = lane.answers[known, column], weights[known, column].astype(np.float64)
        points = lane.train[known].astype(np.float64)
        priors = np.log(np.bincount(answers, weights=photo_weights, minlength=len(labels)))
        trials, heads = [], []
        for setting in _settings(points.shape[1]) if chosen is None else (chosen[skill],):
            axes = _axes(setting, points, answers, len(labels))
            if not axes.shape[1]:
                continue
            parameters = {name: setting[name] for name in ("reduction", "shrinkage") if name in setting}
            reduced = points[:, : len(axes)] @ axes
            means, variances = _gaussians(reduced, answers, len(labels))
            head = Head(
                kind="naive-bayes",
                labels=labels,
                arrays={
                    "offset": np.zeros(len(axes), np.float32),
                    "projection": axes.astype(np.float32),
                    "means": means.astype(np.float32),
                    "variances": variances.astype(np.float32),
                    "log_priors": priors.astype(np.float32),
                },
                backbone_digest="",
            )
            trials.append(
                Trial({**parameters, "dimensions": axes.shape[1]}, head.logits(lane.validation[:, : len(axes)]))
            )
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
    """The reductions under trial, from `available` components."""
    counts = sorted({min(count, available) for count in PRINCIPAL})
    principal = [{"reduction": "pca", "dimensions": count} for count in counts]
    return principal + [{"reduction": "lda", "shrinkage": shrinkage} for shrinkage in SHRINKAGES]


def _axes(setting: Mapping[str, Any], points: Doubles, answers: Array, labels: int) -> Doubles:
    """The axes of a reduction, shape (components, reduced dimensions); no discriminant axis where nothing differs."""
    if setting["reduction"] == "pca":
        return np.eye(setting["dimensions"])
    return discriminant_axes(points[:, :DISCRIMINANT_COMPONENTS], answers, labels, setting["shrinkage"])


def discriminant_axes(points: Doubles, answers: Array, labels: int, shrinkage: float) -> Doubles:
    """Axes along which the labels lie far apart for their width (Fisher, 1936, doi:10.1111/j.1469-1809.1936.tb02137.x).

    Args:
        points: Shape (N, P), centred.
        answers: Label indices, shape (N,).
        labels: Number of labels K.
        shrinkage: How far the covariance within the labels is drawn towards a multiple of the identity, in [0, 1].

    Returns:
        Shape (P, at most K - 1); the covariance within the labels along them is the identity.
    """
    counts, means = _means(points, answers, labels)
    within = points - means[answers]
    covariance = within.T @ within / len(points)
    dimensions = points.shape[1]
    level = np.trace(covariance) / dimensions
    covariance = (1 - shrinkage) * covariance + shrinkage * max(level, 1e-12) * np.eye(dimensions)
    values, vectors = np.linalg.eigh(covariance)
    whitening = vectors / np.sqrt(np.maximum(values, 1e-12 * values[-1]))
    present = counts > 0
    # every label counts alike, as it does in the balanced accuracy
    centres = means[present] @ whitening
    _, strengths, axes = np.linalg.svd(centres - centres.mean(0), full_matrices=False)
    kept = strengths > 1e-6 * strengths.max(initial=0)
    return np.asarray(whitening @ axes[kept].T)


def _gaussians(points: Doubles, answers: Array, labels: int) -> tuple[Doubles, Doubles]:
    """Means and variances per label, both (K, P); a label of few photos leans on the variance within all of them."""
    counts, means = _means(points, answers, labels)
    squares = (points - means[answers]) ** 2
    pooled = squares.mean(0)
    pooled = np.maximum(pooled, 1e-6 * max(float(pooled.max()), 1e-6))
    sums = np.zeros((labels, points.shape[1]))
    np.add.at(sums, answers, squares)
    return means, (sums + PRIOR_PHOTOS * pooled) / (counts + PRIOR_PHOTOS)[:, None]


def _means(points: Doubles, answers: Array, labels: int) -> tuple[Doubles, Doubles]:
    counts = np.bincount(answers, minlength=labels).astype(np.float64)
    chosen = np.eye(labels)[answers]
    return counts, (chosen.T @ points) / np.maximum(counts, 1)[:, None]
