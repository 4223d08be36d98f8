"""Calibration of a winner on out-of-fold answers: by a temperature, or by vector scaling where that is better."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coachworks.models.head import softmax
from coachworks.scores import tally
from components.train.temperature import fit_temperature

Array = NDArray[Any]
Doubles = NDArray[np.float64]

SCALABLE = ("linear", "svm", "mlp")  # heads that end in a weighted sum per label, which can take a scale and a shift
_PHOTOS = 5000  # photos that vector scaling is fitted on, at most
_LABEL_PHOTOS = 50  # photos of each label without which its two parameters of vector scaling are not tried
_LEAST = 1e-12  # least probability in a log loss


@dataclass(frozen=True, eq=False, kw_only=True)
class Calibration:
    """The correction of a head's logits z, softmax((scale · z + shift) / temperature), and what it was chosen by.

    Attributes:
        temperature: Divisor of the logits, > 0; 1 with vector scaling.
        scale: Factor of each label's logit, shape (K,); None with a temperature alone.
        shift: Summand of each label's logit, shape (K,); None with a temperature alone.
        photos: Photos with an out-of-fold answer.
        log_loss: Out-of-fold log loss by method, `none`, `temperature` and `vector`, in nats; each fold is corrected by
            the fit on the others.
        standard_error: Of the difference between the log losses of `temperature` and `vector`; None without the latter.
        why: The choice in words.
    """

    temperature: float
    scale: Array | None = None
    shift: Array | None = None
    photos: int = 0
    log_loss: Mapping[str, float]
    standard_error: float | None = None
    why: str

    @property
    def method(self) -> Literal["none", "temperature", "vector"]:
        """Name of the chosen method: `none`, `temperature` or `vector`."""
        if self.scale is not None:
            return "vector"
        return "temperature" if self.photos else "none"

    def corrected(self, logits: Array) -> Array:
        """Return logits with scale and shift, before the temperature."""
        return logits if self.scale is None or self.shift is None else logits * self.scale + self.shift

    def arrays(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Return a head's arrays with scale and shift multiplied into its last layer."""
        if self.scale is None or self.shift is None:
            return dict(arrays)
        weight = arrays["weight"] * self.scale[:, None]
        bias = arrays["bias"] * self.scale + self.shift
        return {**arrays, "weight": weight.astype(np.float32), "bias": bias.astype(np.float32)}


def calibrate(kind: str, logits: Array, answers: Array, sets: Array, folds: Array) -> Calibration:
    """Choose and fit the correction of a head.

    Vector scaling (Guo, Pleiss, Sun & Weinberger, 2017, arXiv 1706.04599) gives each label a factor and a summand. It
    has 2 K parameters instead of one, and may change answers. So it is tried only where no label has few photos, and
    chosen only if its log loss, on folds that it was not fitted on, is smaller by more than one standard error, and the
    balanced accuracy does not fall.

    Args:
        kind: Kind of the head.
        logits: Out-of-fold logits, shape (N, K).
        answers: Label indices, shape (N,).
        sets: Set of each photo, shape (N,).
        folds: Fold of each photo, shape (N,).
    """
    temperature = fit_temperature(logits, answers)
    if not len(answers):
        why = "no photo could be held out: every label has photos of one set only"
        return Calibration(temperature=temperature, log_loss={}, why=why)
    corrected = {"none": softmax(logits), "temperature": _across(folds, logits, answers, _temperature)}
    counts = np.bincount(answers, minlength=logits.shape[1])
    scalable = kind in SCALABLE and len(np.unique(folds)) > 1 and counts.min() >= _LABEL_PHOTOS
    if scalable:
        corrected["vector"] = _across(folds, logits, answers, _vector)
    losses = {name: _losses(probabilities, answers) for name, probabilities in corrected.items()}
    means = {name: float(loss.mean()) for name, loss in losses.items()}
    photos = len(answers)
    text = f"{photos} out-of-fold answers: log loss {means['none']:.3f} uncorrected, {means['temperature']:.3f} with it"
    if not scalable:
        return Calibration(temperature=temperature, photos=photos, log_loss=means, why=f"temperature, from {text}")
    error = _standard_error(losses["temperature"] - losses["vector"], sets)
    text += f", {means['vector']:.3f} with a factor per label"
    gain = means["temperature"] - means["vector"]
    accuracy = {
        name: tally(answers, corrected[name].argmax(1), logits.shape[1]).balanced_accuracy
        for name in ("temperature", "vector")
    }
    chosen: dict[str, Any] = {"photos": photos, "log_loss": means, "standard_error": error}
    if gain > error and accuracy["vector"] >= accuracy["temperature"]:
        scale, shift = fit_vector(logits, answers)
        why = f"vector scaling, from {text}: better by {gain:.3f} ± {error:.3f}"
        return Calibration(temperature=1.0, scale=scale, shift=shift, why=why, **chosen)
    reason = (
        f"{gain:+.3f} ± {error:.3f} does not justify it" if gain <= error else "that would lower the balanced accuracy"
    )
    return Calibration(temperature=temperature, why=f"temperature, from {text}: {reason}", **chosen)


def representative(logits: Array, answers: Array, sets: Array, validation: Array) -> Array:
    """Return which out-of-fold answers stand for those to new photos, bool, shape (N,): all, or only of validation.

    Where the split is random, training photos are like validation photos, and all count. Where somebody drew it by
    place or time, training photos may be easier out of fold, because others much like them stay in the fit. Then the
    mean log losses of the two differ by more than two standard errors, and the validation photos alone count.

    Args:
        logits: Out-of-fold logits, shape (N, K).
        answers: Label indices, shape (N,).
        sets: Set of each photo, shape (N,).
        validation: Whether each is a validation photo, shape (N,).
    """
    every = np.ones(len(answers), bool)
    if validation.all() or not validation.any():
        return every
    losses = _losses(softmax(logits, fit_temperature(logits, answers)), answers)
    error, other = (_standard_error(losses[rows], sets[rows]) for rows in (validation, ~validation))
    difference = float(losses[validation].mean() - losses[~validation].mean())
    return np.asarray(validation) if abs(difference) > 2 * math.hypot(error, other) else every


def fit_vector(logits: Array, answers: Array) -> tuple[Doubles, Doubles]:
    """Return the factor and the summand of each label, both shape (K,), with the smallest log loss.

    A Gaussian of width 1 around the temperature's solution, on shifts and on relative changes of the factors, keeps
    labels with few photos near it.
    """
    from scipy.optimize import minimize

    step = -(-len(answers) // _PHOTOS)
    values, truth = logits[::step].astype(np.float64), answers[::step]
    photos, labels = values.shape
    one_hot = np.eye(labels)[truth]
    start = 1 / fit_temperature(logits, answers)

    def objective(parameters: Doubles) -> tuple[float, Doubles]:
        change, shift = parameters[:labels], parameters[labels:]
        scores = values * (start * (1 + change)) + shift
        scores -= scores.max(1, keepdims=True)
        logs = scores - np.log(np.exp(scores).sum(1, keepdims=True))
        slope = np.exp(logs) - one_hot
        gradient = np.concatenate([(slope * values).sum(0) * start, slope.sum(0)]) + parameters
        return (0.5 * float(parameters @ parameters) - float(logs[one_hot > 0].sum())) / photos, gradient / photos

    solution = minimize(objective, np.zeros(2 * labels), jac=True, method="L-BFGS-B", options={"gtol": 1e-7})
    return start * (1 + solution.x[:labels]), solution.x[labels:]


def _temperature(logits: Array, answers: Array, tested: Array) -> Array:
    return softmax(tested, fit_temperature(logits, answers))


def _vector(logits: Array, answers: Array, tested: Array) -> Array:
    scale, shift = fit_vector(logits, answers)
    return softmax(tested * scale + shift)


def _across(folds: Array, logits: Array, answers: Array, fitted: Callable[[Array, Array, Array], Array]) -> Array:
    """Probabilities (N, K) of each fold, corrected by the fit on the other folds."""
    probabilities = np.empty(logits.shape)
    for fold in np.unique(folds):
        own = folds == fold
        probabilities[own] = fitted(logits[~own], answers[~own], logits[own])
    return probabilities


def _losses(probabilities: Array, answers: Array) -> Doubles:
    """-log(probability of the true label) of each photo, in nats, shape (N,)."""
    chosen = probabilities[np.arange(len(answers)), answers].astype(np.float64)
    return np.asarray(-np.log(np.maximum(chosen, _LEAST)))


def _standard_error(differences: Doubles, sets: Array) -> float:
    """Standard error of the mean of `differences`, photos of a set counting as one observation."""
    _, owner = np.unique(sets, return_inverse=True)
    sums = np.bincount(owner, weights=differences - differences.mean())
    count = len(sums)
    return float(np.sqrt((sums**2).sum() * count / max(count - 1, 1)) / len(differences))
