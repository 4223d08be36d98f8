"""What every way to train a head gives back, and how the best of its settings is found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.train.heads import softmax
from components.train.lane import UNLABELLED
from components.train.scores import log_loss, tally

Array = NDArray[Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Candidate:
    """One trained way to answer one skill.

    Attributes:
        arrays: The head's arrays, as `components.train.heads.ARRAYS` names them.
        logits: Its logits on all validation photos of the lane, shape (M, K).
        parameters: The settings that validation picked, and others worth knowing.
        tried: Every setting tried, with its validation balanced accuracy and log loss.
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
    """Index of the best trial, and what each scored.

    The greatest balanced accuracy wins; among equals the smallest log loss, then the first. Without validation
    photos it is the one in the middle.

    Args:
        trials: At least one.
        answers: Label indices of the validation photos, shape (M,); `UNLABELLED` photos do not count.
    """
    known = answers != UNLABELLED
    scored = []
    for trial in trials:
        logits = trial.logits[known]
        labels = trial.logits.shape[1]
        accuracy = float(tally(answers[known], logits.argmax(1), labels).balanced_accuracy)
        scored.append(
            {
                **trial.parameters,
                "balanced_accuracy": accuracy,
                "log_loss": log_loss(softmax(logits), answers[known]),
            }
        )
    if not known.any():
        return len(trials) // 2, scored
    ranks = [(-np.round(row["balanced_accuracy"], 9), row["log_loss"]) for row in scored]
    return min(range(len(ranks)), key=lambda index: ranks[index]), scored
