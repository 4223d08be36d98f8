"""Candidate `linear`: multinomial logistic regression, fitted for all skills of a lane and all penalties at once."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from components.train.batched_lbfgs import MAX_ITERATIONS, Fit, Problems, cross_entropy, fit_linear
from components.train.candidate import Candidate, Chosen, Trial, best_trial
from components.train.config import TrainConfig
from components.train.imbalance import ADJUSTED, FOCAL, focal, log_shares, weighing
from components.train.lane import Lane
from components.train.reduction import Reduction

Doubles = NDArray[np.float64]

PENALTIES = (3e-3, 1e-2, 3e-2, 1e-1, 3e-1)


def fit(lane: Lane, reduction: Reduction, config: TrainConfig, chosen: Chosen | None = None) -> dict[str, Candidate]:
    """Fit a linear head per skill, with equal weights of clean photos and augmented views.

    It minimises the weighted mean of the cross-entropy plus penalty / 2 · ‖W‖² (ridge logistic regression; le Cessie &
    van Houwelingen, 1992, doi:10.2307/2347628) in the reduced dimensions. The resulting head includes the reduction and
    reads the backbone's features. With `chosen` there is no search: it holds the penalty of each skill.
    """
    penalties = tuple(PENALTIES if chosen is None else (chosen[skill]["penalty"],) for skill in lane.skills)
    fits = fit_heads(lane, penalties, max_iterations=MAX_ITERATIONS)
    candidates = {}
    for column, (skill, row) in enumerate(zip(lane.skills, fits, strict=True)):
        trials = [
            Trial({"penalty": penalty}, lane.validation @ fitted.weight.T + fitted.bias)
            for penalty, fitted in zip(penalties[column], row, strict=True)
        ]
        best, tried = best_trial(trials, lane.validation_answers[:, column])
        candidates[skill] = Candidate(
            arrays=head_arrays(row[best], reduction),
            logits=trials[best].logits,
            parameters={
                **trials[best].parameters,
                "components": lane.train.shape[1],
                "views": len(lane.views),
                "iterations": row[best].iterations,
                "converged": row[best].converged,
            },
            tried=tried,
        )
    return candidates


def fit_heads(lane: Lane, penalties: Sequence[tuple[float, ...]], *, max_iterations: int) -> list[list[Fit]]:
    """Fit the heads of all skills, each by its policy against imbalance and with each of its penalties, in one call.

    Logit adjustment (Menon et al., 2021, arXiv 2007.07314) adds the logarithms of the labels' shares to the logits in
    training only. The bias is not penalised and takes them up: the fit is the plain one, with a bias without them.
    """
    weighed = replace(lane, policies={skill: weighing("linear", lane.policy(skill)) for skill in lane.skills})
    shares = _log_shares(weighed, [skill for skill in lane.skills if lane.policy(skill) == ADJUSTED])
    starts = dict(lane.starts)
    for skill in shares.keys() & starts.keys():
        weight, bias = starts[skill]
        starts[skill] = weight, (bias + shares[skill]).astype(np.float32)
    problems = problems_of(replace(weighed, starts=starts), penalties)
    losses = [focal if lane.policy(skill) == FOCAL else cross_entropy for skill in lane.skills]
    fits = fit_linear(problems, losses, max_iterations=max_iterations)
    return [
        [adjusted(fitted, shares[skill]) if skill in shares else fitted for fitted in row]
        for skill, row in zip(lane.skills, fits, strict=True)
    ]


def problems_of(lane: Lane, penalties: Sequence[tuple[float, ...]]) -> Problems:
    """Return the linear heads of a lane's skills as problems of the optimiser, each with its penalties."""
    (answers, *repeat_answers), (weights, *repeat_weights) = lane.table_answers(), lane.table_weights()
    return Problems(
        points=lane.train,
        repeats=lane.views,
        answers=answers,
        weights=weights,
        repeat_answers=repeat_answers,
        repeat_weights=repeat_weights,
        labels=tuple(len(labels) for labels in lane.labels.values()),
        penalties=tuple(penalties),
        starts=tuple(lane.starts.get(skill) for skill in lane.skills),
    )


def head_arrays(fitted: Fit, reduction: Reduction) -> dict[str, NDArray[np.float32]]:
    """Return the arrays of a head that reads the features: the reduction is multiplied into the fit."""
    weight = fitted.weight @ reduction.projection.T.astype(np.float64)
    bias = fitted.bias - weight @ reduction.offset.astype(np.float64)
    return {"weight": weight.astype(np.float32), "bias": bias.astype(np.float32)}


def _log_shares(lane: Lane, skills: Sequence[str]) -> dict[str, Doubles]:
    """Logarithms of the labels' shares of the weight of all tables, shape (K,), of some skills."""
    tables = tuple(zip(lane.table_answers(), lane.table_weights(), strict=True)) if skills else ()
    shares = {}
    for skill in skills:
        column, totals = lane.skills.index(skill), np.zeros(len(lane.labels[skill]))
        for answers, weights in tables:
            known = weights[:, column] > 0
            totals += np.bincount(answers[known, column], weights=weights[known, column], minlength=len(totals))
        shares[skill] = log_shares(totals)
    return shares


def adjusted(plain: Fit, shares: Doubles) -> Fit:
    """Return a fit with logit adjustment, from the plain one and the logarithms of the labels' shares, shape (K,)."""
    return replace(plain, bias=(plain.bias - shares).astype(np.float32))
