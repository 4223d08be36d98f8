"""Candidate `svm`: support vector machines with a Gaussian kernel, fitted for all skills of a lane at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.feature_table import BLOCK_ROWS
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
        features = np.empty((len(points), self.whitening.shape[1]), np.float32)
        for start in range(0, len(points), BLOCK_ROWS):  # in float64 all would be four times as large
            rows = slice(start, start + BLOCK_ROWS)
            features[rows] = gaussian_kernel(points[rows], self.landmarks, self.gamma) @ self.whitening
        return features


@dataclass(frozen=True, eq=False)
class _Machine:
    """A fitted setting: the kernel map, the rotation of its features to their principal axes, the linear head."""

    kernel: _KernelMap
    rotation: Reduction
    fit: Fit


def fit(lane: Lane, reduction: Reduction, config: TrainConfig, chosen: Chosen | None = None) -> dict[str, Candidate]:
    """Fit one-against-rest machines with squared hinge loss (Cortes & Vapnik, 1995, doi:10.1007/BF00994018).

    The kernel map is made once per width for all skills of the lane; on its features the machines are linear and share
    the batched optimiser. With `chosen` there is no search: it holds the width and the penalty of each skill.
    """
    kept = min(COMPONENTS, lane.train.shape[1])
    points, validation = lane.train[:, :kept], lane.validation[:, :kept]
    drawn = np.random.default_rng(config.seed).permutation(len(points))[:LANDMARKS]
    landmarks = points[np.sort(drawn)]
    trials: dict[str, list[Trial]] = {skill: [] for skill in lane.skills}
    machines: dict[str, list[_Machine]] = {skill: [] for skill in lane.skills}
    for gamma, skills in _widths(points, lane.skills, chosen).items():
        penalties = tuple(PENALTIES if chosen is None else (chosen[skill]["penalty"],) for skill in skills)
        kernel = _kernel_map(landmarks, gamma)
        features = kernel(points)
        rotation = fit_reduction(features, len(landmarks), scaled=False)
        features = rotation(features)
        fits = _fit_machines(lane.subset(skills), features, penalties)
        tested = rotation(kernel(validation))
        for skill, strengths, row in zip(skills, penalties, fits, strict=True):
            for penalty, fitted in zip(strengths, row, strict=True):
                logits = tested @ fitted.weight.T + fitted.bias
                trials[skill].append(Trial({"penalty": penalty, "gamma": gamma}, logits))
                machines[skill].append(_Machine(kernel, rotation, fitted))
    candidates = {}
    for column, skill in enumerate(lane.skills):
        best, tried = best_trial(trials[skill], lane.validation_answers[:, column])
        machine = machines[skill][best]
        candidates[skill] = Candidate(
            arrays={
                "offset": reduction.offset,
                "projection": np.ascontiguousarray(reduction.projection[:, :kept]),
                **_landmark_arrays(machine),
            },
            logits=trials[skill][best].logits,
            parameters={
                **trials[skill][best].parameters,
                "components": kept,
                "landmarks": len(landmarks),
                "iterations": machine.fit.iterations,
                "converged": machine.fit.converged,
            },
            tried=tried,
        )
    return candidates


def _widths(points: Floats, skills: tuple[str, ...], chosen: Chosen | None) -> dict[float, list[str]]:
    """Widths gamma of the kernel, each with the skills to fit with it."""
    if chosen is None:
        distance = 2 * float(points.var(0, dtype=np.float64).sum())  # mean squared distance of two photos
        return {width / max(distance, 1e-12): list(skills) for width in WIDTHS}
    gammas = sorted({chosen[skill]["gamma"] for skill in skills})
    return {gamma: [skill for skill in skills if chosen[skill]["gamma"] == gamma] for gamma in gammas}


def _kernel_map(landmarks: Floats, gamma: float) -> _KernelMap:
    """Nyström map (Williams & Seeger, "Using the Nyström method to speed up kernel machines", 2001).

    Its inner products equal the kernel between landmarks and approximate it between other photos. Unlike scikit-learn's
    `Nystroem`, which keeps axes down to 1e-12, it drops those that are rounding errors of the float32 kernel.
    """
    values, axes = np.linalg.eigh(gaussian_kernel(landmarks, landmarks, gamma).astype(np.float64))
    kept = values > _FLOOR * values[-1]
    return _KernelMap(landmarks, axes[:, kept] / np.sqrt(values[kept]), gamma)


def _fit_machines(lane: Lane, points: Floats, penalties: tuple[tuple[float, ...], ...]) -> list[list[Fit]]:
    problems = Problems(
        points=points,
        answers=lane.answers,
        weights=lane.photo_weights(),
        labels=tuple(len(labels) for labels in lane.labels.values()),
        penalties=penalties,
        curvature=1.0,
    )
    return fit_linear(problems, squared_hinge, max_iterations=MAX_ITERATIONS)


def _landmark_arrays(machine: _Machine) -> dict[str, Array]:
    """The machine as weights of landmarks: rotation and whitening are multiplied into them."""
    weight = machine.fit.weight @ machine.rotation.projection.T.astype(np.float64)
    return {
        "landmarks": machine.kernel.landmarks,
        "weight": (weight @ machine.kernel.whitening.T).astype(np.float32),
        "bias": (machine.fit.bias - weight @ machine.rotation.offset).astype(np.float32),
    }
