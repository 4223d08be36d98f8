"""Candidate `linear`: multinomial logistic regression, fitted for all skills of a lane and all penalties at once."""

import numpy as np

from components.train.batched_lbfgs import MAX_ITERATIONS, Problems, cross_entropy, fit_linear
from components.train.candidate import Candidate, Chosen, Trial, best_trial
from components.train.config import TrainConfig
from components.train.lane import Lane
from components.train.reduction import Reduction

PENALTIES = (3e-3, 1e-2, 3e-2, 1e-1, 3e-1)


def fit(lane: Lane, reduction: Reduction, config: TrainConfig, chosen: Chosen | None = None) -> dict[str, Candidate]:
    """Fit a linear head per skill, with equal weights of clean photos and augmented views.

    It minimises the weighted mean of the cross-entropy plus penalty / 2 · ‖W‖² (ridge logistic regression; le Cessie &
    van Houwelingen, 1992, doi:10.2307/2347628) in the reduced dimensions. The resulting head includes the reduction and
    reads the backbone's features. With `chosen` there is no search: it holds the penalty of each skill.
    """
    penalties = tuple(PENALTIES if chosen is None else (chosen[skill]["penalty"],) for skill in lane.skills)
    (answers, *repeat_answers), (weights, *repeat_weights) = lane.table_answers(), lane.table_weights()
    problems = Problems(
        points=lane.train,
        repeats=lane.views,
        answers=answers,
        weights=weights,
        repeat_answers=repeat_answers,
        repeat_weights=repeat_weights,
        labels=tuple(len(labels) for labels in lane.labels.values()),
        penalties=penalties,
        starts=tuple(lane.starts.get(skill) for skill in lane.skills),
    )
    fits = fit_linear(problems, cross_entropy, max_iterations=MAX_ITERATIONS)
    offset, projection = reduction.offset.astype(np.float64), reduction.projection.astype(np.float64)
    candidates = {}
    for column, (skill, row) in enumerate(zip(lane.skills, fits, strict=True)):
        trials = [
            Trial({"penalty": penalty}, lane.validation @ fitted.weight.T + fitted.bias)
            for penalty, fitted in zip(penalties[column], row, strict=True)
        ]
        best, tried = best_trial(trials, lane.validation_answers[:, column])
        weight = row[best].weight @ projection.T
        candidates[skill] = Candidate(
            arrays={
                "weight": weight.astype(np.float32),
                "bias": (row[best].bias - weight @ offset).astype(np.float32),
            },
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
