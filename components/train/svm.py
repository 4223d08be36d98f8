"""Candidate `svm`: support vector machines with a Gaussian kernel, all skills of a lane in one go."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.models.head import gaussian_kernel
from components.train.batched_lbfgs import MAX_ITERATIONS, Fit, Problems, fit_linear, squared_hinge
from components.train.candidate import Candidate, Chosen, Trial, best_trial
from components.train.config import TrainConfig
from components.train.lane import Lane
from components.train.reduction import Reduction, fit_reduction

Array = NDArray[Any]
Floats = NDArray[np.float32]

COMPONENTS = 128
LANDMARKS = 512
PENALTIES = (1e-4, 3e-4, 1e-3, 3e-3)
WIDTHS = (1.0, 2.0)  # gamma times the mean squared distance between photos
_FLOOR = 1e-5  # share of the kernel's greatest eigenvalue below which an axis is float32 noise


@dataclass(frozen=True, eq=False)
class _KernelMap:
    """Nyström features of a Gaussian kernel: phi(x) = k(x, landmarks) @ whitening, so that phi(x)·phi(y) ≈ k(x, y)."""

    landmarks: Floats
    whitening: Array
    gamma: float

    def __call__(self, points: Array) -> Floats:
        return np.asarray(gaussian_kernel(points, self.landmarks, self.gamma) @ self.whitening, np.float32)


def fit(lane: Lane, reduction: Reduction, config: TrainConfig, chosen: Chosen | None = None) -> dict[str, Candidate]:
    """One-against-rest machines with squared hinge loss (Cortes & Vapnik, 1995, doi:10.1007/BF00994018).

    The kernel map (Williams & Seeger, "Using the Nyström method to speed up kernel machines", 2001) is made once per
    width for all skills of the lane; on it the machines are linear and share the batched optimiser. `chosen` skips
    the search: each skill's width and penalty are given.
    """
    kept = min(COMPONENTS, lane.train.shape[1])
    points, validation = lane.train[:, :kept], lane.validation[:, :kept]
    distance = 2 * float(points.var(0, dtype=np.float64).sum())  # mean squared distance of two photos
    drawn = np.random.default_rng(config.seed).permutation(len(points))[:LANDMARKS]
    landmarks = points[np.sort(drawn)]
    trials: dict[str, list[Trial]] = {skill: [] for skill in lane.skills}
    machines: dict[str, list[tuple[_KernelMap, Reduction, Fit]]] = {skill: [] for skill in lane.skills}
    if chosen is None:
        grid = {width / max(distance, 1e-12): list(lane.skills) for width in WIDTHS}
    else:
        gammas = sorted({chosen[skill]["gamma"] for skill in lane.skills})
        grid = {gamma: [skill for skill in lane.skills if chosen[skill]["gamma"] == gamma] for gamma in gammas}
    for gamma, skills in grid.items():
        part = lane.subset(skills)
        penalties = tuple(PENALTIES if chosen is None else (chosen[skill]["penalty"],) for skill in skills)
        kernel = _kernel_map(landmarks, gamma)
        features = kernel(points)
        turned = fit_reduction(features, len(landmarks), scaled=False)
        problems = Problems(
            points=turned(features),
            answers=part.answers,
            weights=part.photo_weights(),
            labels=tuple(len(labels) for labels in part.labels.values()),
            penalties=penalties,
            curvature=1.0,
        )
        tested = turned(kernel(validation))
        fits = fit_linear(problems, squared_hinge, max_iterations=MAX_ITERATIONS)
        for skill, strengths, row in zip(skills, penalties, fits, strict=True):
            for penalty, fitted in zip(strengths, row, strict=True):
                trials[skill].append(
                    Trial({"penalty": penalty, "gamma": kernel.gamma}, tested @ fitted.weight.T + fitted.bias)
                )
                machines[skill].append((kernel, turned, fitted))
    candidates = {}
    for column, skill in enumerate(lane.skills):
        best, tried = best_trial(trials[skill], lane.validation_answers[:, column])
        kernel, turned, fitted = machines[skill][best]
        weight = fitted.weight @ turned.projection.T.astype(np.float64)
        candidates[skill] = Candidate(
            arrays={
                "offset": reduction.offset,
                "projection": np.ascontiguousarray(reduction.projection[:, :kept]),
                "landmarks": landmarks,
                "weight": (weight @ kernel.whitening.T).astype(np.float32),
                "bias": (fitted.bias - weight @ turned.offset).astype(np.float32),
            },
            logits=trials[skill][best].logits,
            parameters={
                **trials[skill][best].parameters,
                "components": kept,
                "landmarks": len(landmarks),
                "iterations": fitted.iterations,
                "converged": fitted.converged,
            },
            tried=tried,
        )
    return candidates


def _kernel_map(landmarks: Floats, gamma: float) -> _KernelMap:
    """The map whose inner products are the kernel exactly between landmarks and nearly so between other photos."""
    values, axes = np.linalg.eigh(gaussian_kernel(landmarks, landmarks, gamma).astype(np.float64))
    kept = values > _FLOOR * values[-1]
    return _KernelMap(landmarks, axes[:, kept] / np.sqrt(values[kept]), gamma)
