"""Choice of a skill's winner: the simplest candidate within one standard error of the best."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.bootstrap import resampled
from coachworks.models import tail
from coachworks.scores import tally, tally_by_set

Array = NDArray[Any]

# From simple to complex, by the cost of serving and the effort of trusting it: one matrix product, convex and nearly
# calibrated; a closed form, overconfident since its dimensions are not independent; a head that contains the training
# photos; a kernel without probabilities; weights that depend on a random start; further layers of the network.
FINE_TUNE = tail.KIND
COMPLEXITY = ("linear", "naive-bayes", "knn", "svm", "mlp", FINE_TUNE)
REPLICATES = 1000


@dataclass(frozen=True)
class Score:
    """A candidate's validation balanced accuracy and its standard error; NaN without validation photos."""

    balanced_accuracy: float
    standard_error: float


def score(logits: Array, answers: Array, sets: Array, *, seed: int) -> Score:
    """Return the score of logits (M, K) on labelled photos, with the standard error of a bootstrap over sets."""
    labels = logits.shape[1]
    if not len(answers):
        return Score(math.nan, math.nan)
    predicted = logits.argmax(1)
    replicates = resampled(tally_by_set(answers, predicted, labels, sets), REPLICATES, seed).balanced_accuracy
    return Score(float(tally(answers, predicted, labels).balanced_accuracy), float(np.std(replicates, ddof=1)))


def pick(scores: Mapping[str, Score]) -> tuple[str, str]:
    """Return the winner, and the reason in words.

    The one-standard-error rule of Breiman, Friedman, Olshen & Stone, "Classification and Regression Trees" (1984),
    section 3.4.3: candidates within one standard error of the best may be as good, so the simplest of them wins.
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
