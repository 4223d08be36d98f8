"""Linear heads fitted so that they stand wrong labels: with another loss, or on the shares of the votes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.train.batched_lbfgs import MAX_ITERATIONS, Fit, Loss, cross_entropy, fit_linear
from components.train.candidate import Candidate, Chosen
from components.train.lane import UNLABELLED, Lane
from components.train.linear import head_arrays, problems_of
from components.train.out_of_fold import Fitter, OutOfFold, fit_with_folds
from components.train.reduction import Reduction

Array = NDArray[Any]


def with_loss(loss: Loss, reduction: Reduction) -> Fitter:
    """Return a function that fits linear heads with a loss, from the solution of the cross-entropy."""
    return partial(_fit_with_loss, loss, reduction)


def on_shares(shares: Array, reduction: Reduction) -> Fitter:
    """Return a function that fits linear heads of one skill on soft labels, the shares of the votes.

    The cross-entropy of a photo is that of each of its labels times the label's share (Peterson, Battleday, Griffiths &
    Russakovsky, 2019, arXiv 1908.07086). Each share of a photo is one of its repeats, so nothing else changes.

    Args:
        shares: Share of the votes of each training photo for each label, shape (N, K).
        reduction: Reduction of the photos.
    """
    return partial(_fit_on_shares, shares, reduction)


def fit_out_of_fold(joined: Lane, skill: str, fit: Fitter, parameters: Mapping[str, Any]) -> OutOfFold:
    """Fit the linear head of a skill on all photos, and without each fold, with the penalty of `parameters`."""
    return fit_with_folds(joined.subset([skill]), fit, {skill: parameters})[skill]


def _fit_with_loss(loss: Loss, reduction: Reduction, lane: Lane, chosen: Chosen) -> dict[str, Candidate]:
    problems = problems_of(lane, [(chosen[skill]["penalty"],) for skill in lane.skills])
    starts = fit_linear(problems, cross_entropy, max_iterations=MAX_ITERATIONS)
    problems = replace(problems, starts=[(start.weight, start.bias) for (start,) in starts])
    return _candidates(lane, reduction, chosen, fit_linear(problems, loss, max_iterations=MAX_ITERATIONS))


def _fit_on_shares(shares: Array, reduction: Reduction, lane: Lane, chosen: Chosen) -> dict[str, Candidate]:
    ranks = int((shares > 0).sum(1).max())
    order = np.argsort(-shares, axis=1, kind="stable")[:, :ranks]
    ranked = np.take_along_axis(shares, order, axis=1)
    photo_weights, held_out = lane.photo_weights(), lane.answers == UNLABELLED
    answers = [np.where(held_out, UNLABELLED, order[:, rank, None]) for rank in range(ranks)]
    weights = [np.asarray(photo_weights * ranked[:, rank, None] * ranks, np.float32) for rank in range(ranks)]
    tables = [table for table in (lane.train, *lane.views) for _ in range(ranks)]
    views = 1 + len(lane.views)
    problems = replace(
        problems_of(lane, [(chosen[skill]["penalty"],) for skill in lane.skills]),
        repeats=tuple(tables[1:]),
        answers=answers[0],
        weights=weights[0],
        repeat_answers=(answers * views)[1:],
        repeat_weights=(weights * views)[1:],
    )
    return _candidates(lane, reduction, chosen, fit_linear(problems, cross_entropy, max_iterations=MAX_ITERATIONS))


def _candidates(
    lane: Lane, reduction: Reduction, chosen: Chosen, fits: Sequence[Sequence[Fit]]
) -> dict[str, Candidate]:
    candidates = {}
    for skill, (fitted,) in zip(lane.skills, fits, strict=True):
        candidates[skill] = Candidate(
            arrays=head_arrays(fitted, reduction),
            logits=lane.validation @ fitted.weight.T + fitted.bias,
            parameters={**chosen[skill], "iterations": fitted.iterations, "converged": fitted.converged},
            tried=(),
        )
    return candidates
