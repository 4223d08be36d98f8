"""Which candidate answers a skill: the simplest one within one standard error of the best."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.bootstrap import resampled
from coachworks.scores import tally, tally_by_set

Array = NDArray[Any]

# From simple to complex, by what it costs to serve and to trust: one matrix product, convex and close to calibrated;
# a closed form whose probabilities are overconfident, its dimensions not being independent; the training photos
# themselves must travel along; a kernel whose values are no probabilities; weights that depend on a random start.
COMPLEXITY = ("linear", "naive-bayes", "knn", "svm", "mlp")
REPLICATES = 1000


@dataclass(frozen=True)
class Score:
    """A candidate's validation balanced accuracy and its standard error; NaN without validation photos."""

    balanced_accuracy: float
    standard_error: float


def score(logits: Array, answers: Array, sets: Array, *, seed: int) -> Score:
    """The score of logits (M, K) on labelled photos; the standard error is that of a bootstrap of the sets."""
    labels = logits.shape[1]
    if not len(answers):
        return Score(math.nan, math.nan)
    predicted = logits.argmax(1)
    replicates = resampled(tally_by_set(answers, predicted, labels, sets), REPLICATES, seed).balanced_accuracy
    return Score(float(tally(answers, predicted, labels).balanced_accuracy), float(np.std(replicates, ddof=1)))


def pick(scores: Mapping[str, Score]) -> tuple[str, str]:
    """The winner, and why in words.

    The one-standard-error rule of Breiman, Friedman, Olshen & Stone, "Classification and Regression Trees" (1984),
    section 3.4.3: what is within one standard error of the best may be as good, so the simplest of those wins.
    """
    ordered = sorted(scores, key=COMPLEXITY.index)
    known = [name for name in ordered if not math.isnan(scores[name].balanced_accuracy)]
    if not known:
        return ordered[0], f"{ordered[0]} is the simplest candidate; there are no validation photos to compare by"
    best = max(known, key=lambda name: scores[name].balanced_accuracy)
    top = scores[best]
    bar = top.balanced_accuracy - top.standard_error
    winner = next(name for name in known if scores[name].balanced_accuracy >= bar)
    own = f"{scores[winner].balanced_accuracy:.3f}"
    if len(ordered) == 1:
        return winner, f"{winner} is the only candidate: {own} on validation"
    if winner == best:
        simpler = known[: known.index(best)]
        beaten = "no simpler candidate comes within one standard error" if simpler else "it is the simplest, too"
        return winner, f"{winner} is the best on validation, {own} ± {top.standard_error:.3f}; {beaten}"
    return winner, (
        f"{winner} is the simplest candidate within one standard error of the best on validation: "
        f"{own} against {best}'s {top.balanced_accuracy:.3f} ± {top.standard_error:.3f}"
    )
