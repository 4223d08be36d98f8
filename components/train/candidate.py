"""What every way to train a head gives back, and how the best of its settings is found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from coachworks.models.head import softmax
from coachworks.scores import log_loss, tally
from components.train.lane import UNLABELLED, label_weights
from components.train.temperature import fit_temperature

Array = NDArray[Any]
Chosen = Mapping[str, Mapping[str, Any]]  # skill -> parameters of a `Candidate`: the only setting to be fitted


@dataclass(frozen=True, eq=False, kw_only=True)
class Candidate:
    """One trained way to answer one skill.

    Attributes:
        arrays: The head's arrays, as `coachworks.models.head.ARRAYS` names them.
        logits: Its logits on all validation photos of the lane, shape (M, K).
        parameters: The settings that validation picked, and others worth knowing.
        tried: Every setting tried, with its balanced accuracy and calibrated log loss on validation.
    """

    arrays: Mapping[str, Array]
    logits: Array
    parameters: Mapping[str, Any]
    tried: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class Trial:
    """One setting under trial: its parameters, and its logits on the validation photos, shape (M, K)."""

    parameters: Mapping[str, Any]
    logits: Array


def best_trial(trials: Sequence[Trial], answers: Array) -> tuple[int, list[dict[str, Any]]]:
    """Index of the best trial, and what each scored on the validation photos.

    The smallest log loss wins, each trial calibrated first and each label counting alike. It is a proper scoring rule
    (Gneiting & Raftery, 2007, doi:10.1198/016214506000001437): on a few hundred photos it tells settings apart that
    differ by a handful of answers, where the balanced accuracy mostly follows chance. Without validation photos the
    trial in the middle wins.

    Args:
        trials: At least one.
        answers: Label indices of the validation photos, shape (M,); `UNLABELLED` photos do not count.
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
