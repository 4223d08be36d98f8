"""Candidates: the common result of every way to train a head, and the choice among its settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from coachworks.models.head import softmax
from coachworks.scores import log_loss, tally
from components.train.lane import UNLABELLED, label_weights
from components.train.temperature import fit_temperature

Array = NDArray[Any]
Chosen = Mapping[str, Mapping[str, Any]]  # skill -> parameters of a `Candidate`: the only setting to fit


@dataclass(frozen=True, eq=False, kw_only=True)
class Candidate:
    """A trained head of one skill, before it is saved.

    Attributes:
        arrays: Arrays of the head, named as in `coachworks.models.head.ARRAYS`.
        logits: Logits on all validation photos of the lane, shape (M, K).
        parameters: The settings that validation picked, and the fixed ones.
        tried: Every setting tried, with its balanced accuracy and calibrated log loss on validation.
        groups: Feature groups that the head reads; empty: those that all candidates of the skill read.
    """

    arrays: Mapping[str, Array]
    logits: Array
    parameters: Mapping[str, Any]
    tried: Sequence[Mapping[str, Any]]
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Trial:
    """A setting on trial: its parameters, and its logits on the validation photos, shape (M, K)."""

    parameters: Mapping[str, Any]
    logits: Array


def best_trial(trials: Sequence[Trial], answers: Array) -> tuple[int, list[dict[str, Any]]]:
    """Return the index of the best trial, and the scores of each on the validation photos.

    The smallest log loss after calibration wins, with equal weights of the labels. The log loss is a proper scoring
    rule (Gneiting & Raftery, 2007, doi:10.1198/016214506000001437): on a few hundred photos it separates settings that
    differ by a handful of answers, where the balanced accuracy mostly follows chance. Without validation photos the
    trial in the middle wins.

    Args:
        trials: At least one.
        answers: Label indices of the validation photos, shape (M,); those with `UNLABELLED` are left out.
    """
    known = answers != UNLABELLED
    truth = answers[known]
    scored = []
    for trial in trials:
        logits, labels = trial.logits[known], trial.logits.shape[1]
        probabilities = softmax(logits, fit_temperature(logits, truth))
        scored.append(
            {
                **trial.parameters,
                "balanced_accuracy": float(tally(truth, logits.argmax(1), labels).balanced_accuracy),
                "log_loss": log_loss(probabilities, truth, label_weights(truth, labels, "balanced")[truth]),
            }
        )
    if not known.any():
        return len(trials) // 2, scored
    return min(range(len(trials)), key=lambda index: float(scored[index]["log_loss"])), scored
