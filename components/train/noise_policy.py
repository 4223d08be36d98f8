"""Training that stands wrong labels: tried where many are wrong, kept where it answers held-out photos better."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.progress import SILENT, Progress
from coachworks.scores import tally
from components.train.competition import Outcome
from components.train.lane import UNLABELLED, Lane
from components.train.noise_fits import fit_out_of_fold, on_shares, with_loss
from components.train.noise_losses import forward_correction, generalised_cross_entropy
from components.train.out_of_fold import OutOfFold
from components.train.reduction import Reduction
from components.train.refit import Refit, refit_of

Array = NDArray[Any]

LEAST = 0.05  # share of wrong labels from which losses that stand them are tried, with certainty
GENERALISED, FORWARD, SHARES = "generalised-cross-entropy", "forward-correction", "vote-shares"
_RARE = 1e-3  # least entry of a transition matrix: a label that is never given for another would cost infinitely much


@dataclass(frozen=True, eq=False)
class NoisePolicy:
    """Choice of a skill's loss.

    Attributes:
        loss: `generalised-cross-entropy`, `forward-correction` or `vote-shares`; empty: the winner stays as it is.
        tried: Out-of-fold balanced accuracy of the winner of the competition under its name, then by loss.
        why: The choice in words.
    """

    loss: str
    tried: Mapping[str, float]
    why: str


def stand_noise(
    joined: Lane,
    trained: int,
    reduction: Reduction,
    outcomes: dict[str, Outcome],
    refits: dict[str, Refit],
    *,
    shares: Callable[[str], Array | None] = lambda skill: None,
    progress: Progress = SILENT,
) -> dict[str, NoisePolicy]:
    """Replace winners by linear heads with another loss, where many labels are wrong and such a head is better.

    A skill is tried if it has the candidate `linear` and the whole interval of its level of noise is above `LEAST`;
    the others cost nothing. Each loss is fitted on all photos and without each fold. The best is taken if its
    out-of-fold balanced accuracy is higher than the winner's by more than one standard error of the difference.

    Args:
        joined: The training photos and, after them, the validation photos.
        trained: Number of the training photos.
        reduction: The reduction of the photos.
        outcomes: Result of each skill's competition; that of a replaced winner names `linear` and the reason.
        refits: The winners, fitted again; replaced likewise.
        shares: Returns the shares of the votes of a skill by photo and label, None where they do not differ.
        progress: Receives progress updates.

    Returns:
        The choice for each skill that was tried.
    """
    noisy = [
        skill
        for skill in joined.skills
        if skill in refits
        and not refits[skill].kept
        and "linear" in outcomes[skill].entries
        and refits[skill].noise.level.low > LEAST
    ]
    policies = {}
    with progress.task("losses that stand noise", total=len(noisy), unit="skills") as task:
        for skill in noisy:
            parameters = outcomes[skill].entries["linear"].candidate.parameters
            # with labels that a view breaks, shares of the votes on the photo are not those on the view
            own = None if joined.view_answers else shares(skill)
            fits = fit_alternatives(joined, trained, skill, reduction, parameters, own)
            policies[skill] = _choose(joined, skill, outcomes[skill].winner, refits[skill], fits)
            if loss := policies[skill].loss:
                named = replace(fits[loss].candidate, parameters={**fits[loss].candidate.parameters, "loss": loss})
                fitted = replace(fits[loss], candidate=named)
                why = f"{outcomes[skill].why}. {policies[skill].why}"
                outcomes[skill] = replace(outcomes[skill], winner="linear", why=why)
                refits[skill] = refit_of("linear", joined, trained, skill, fitted, refits[skill].seconds)
            task.advance()
    return policies


def fit_alternatives(
    joined: Lane,
    trained: int,
    skill: str,
    reduction: Reduction,
    parameters: Mapping[str, Any],
    shares: Array | None = None,
) -> dict[str, OutOfFold]:
    """Fit a linear head of a skill with each loss, on all photos and without each fold.

    The matrix of the forward correction is estimated from the answers of the generalised cross-entropy, which confuse
    labels less than those of a head that learnt the wrong ones as well.

    Args:
        joined: The training photos and, after them, the validation photos.
        trained: Number of the training photos.
        skill: The skill.
        reduction: The reduction of the photos.
        parameters: The penalty.
        shares: Shares of the votes by photo and label, shape (N, K); None: they do not differ.
    """
    fits = {GENERALISED: fit_out_of_fold(joined, skill, with_loss(generalised_cross_entropy, reduction), parameters)}
    noise = refit_of("linear", joined, trained, skill, fits[GENERALISED], 0.0).noise
    positive = np.maximum(noise.transition, _RARE)
    corrected = forward_correction(positive / positive.sum(1, keepdims=True))
    fits[FORWARD] = fit_out_of_fold(joined, skill, with_loss(corrected, reduction), parameters)
    if shares is not None:
        fits[SHARES] = fit_out_of_fold(joined, skill, on_shares(shares, reduction), parameters)
    return fits


def _choose(joined: Lane, skill: str, winner: str, refit: Refit, fits: Mapping[str, OutOfFold]) -> NoisePolicy:
    column = joined.skills.index(skill)
    rows = refit.out_of_fold.rows
    answers, sets = joined.answers[rows, column], joined.train_sets[rows]
    labels = len(joined.labels[skill])
    plain = refit.calibration.corrected(refit.out_of_fold.logits).argmax(1)
    right = {name: fitted.logits.argmax(1) for name, fitted in fits.items()}
    tried = {
        name: float(tally(answers, predicted, labels).balanced_accuracy)
        for name, predicted in {winner: plain, **right}.items()
    }
    best = max(fits, key=lambda name: tried[name])
    gain, error = gain_of(plain, right[best], answers, sets)
    level = refit.noise.level
    text = f"{level.value:.1%} of the labels are estimated to be wrong ({level.low:.1%} to {level.high:.1%})"
    difference = f"{tried[best]:.3f} against {winner}'s {tried[winner]:.3f} out of fold ({gain:+.3f} ± {error:.3f})"
    if gain > error:
        return NoisePolicy(best, tried, f"{text}, so linear was fitted with the loss {best}: {difference}")
    return NoisePolicy("", tried, f"{text}, but no loss that stands them is better by a standard error: {difference}")


def gain_of(before: Array, after: Array, answers: Array, sets: Array) -> tuple[float, float]:
    """Return the gain in balanced accuracy of the answers `after` over `before`, and its standard error.

    The gain is a sum over photos, weighted by label; the photos of a set count as one observation.

    Args:
        before: Label indices, shape (N,).
        after: Label indices, shape (N,).
        answers: The labels, shape (N,).
        sets: Set of each photo, shape (N,).
    """
    counts = np.bincount(answers[answers != UNLABELLED])
    share = 1 / (np.count_nonzero(counts) * counts[answers])
    change = share * ((after == answers).astype(np.float64) - (before == answers))
    sums = np.bincount(np.unique(sets, return_inverse=True)[1], weights=change)
    spread = float(((sums - sums.mean()) ** 2).sum()) * len(sums) / max(len(sums) - 1, 1)
    return float(change.sum()), float(np.sqrt(spread))
