"""Candidate `knn`: the labels of the most similar training photos."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.models.head import neighbour_votes, rows_of_similarities, smoothed_shares, unit_rows
from components.train.candidate import Candidate, Chosen, Trial, best_trial
from components.train.config import TrainConfig
from components.train.lane import UNLABELLED, Lane, label_weights
from components.train.reduction import Reduction

Array = NDArray[Any]
Floats = NDArray[np.float32]

COMPONENTS = 128
NEIGHBOURS = (3, 5, 10, 20, 40)
SMOOTHING = 0.5  # votes added to every label, so that no share is 0


def fit(lane: Lane, reduction: Reduction, config: TrainConfig, chosen: Chosen | None = None) -> dict[str, Candidate]:
    """Fit k-nearest neighbours (Cover & Hart, 1967, doi:10.1109/TIT.1967.1053964) by cosine in reduced dimensions.

    With `chosen` there is no search: it holds the number of neighbours of each skill, and only labelled validation
    photos are answered. Out of fold, each photo has its own references, and the similarities of all would not fit into
    memory: they are computed in blocks.
    """
    kept = min(COMPONENTS, lane.train.shape[1])
    references = unit_rows(lane.train[:, :kept])
    known, asked = lane.answers != UNLABELLED, lane.validation_answers != UNLABELLED
    if chosen is None:
        asked = np.ones_like(asked)
    weights = [
        label_weights(answers[rows], len(labels), lane.policy(skill))
        for answers, rows, (skill, labels) in zip(lane.answers.T, known.T, lane.labels.items(), strict=True)
    ]
    logits = _logits_by_count(lane, references, asked, weights, chosen)
    candidates = {}
    for column, skill in enumerate(lane.skills):
        own = known[:, column]
        trials = [Trial({"neighbours": neighbours}, scores) for neighbours, scores in logits[column].items()]
        best, tried = best_trial(trials, lane.validation_answers[:, column])
        candidates[skill] = Candidate(
            arrays={
                "offset": reduction.offset,
                "projection": np.ascontiguousarray(reduction.projection[:, :kept]),
                "references": references[own],
                "reference_labels": lane.answers[own, column],
                "label_weights": weights[column],
            },
            logits=trials[best].logits,
            parameters={**trials[best].parameters, "components": kept, "smoothing": SMOOTHING},
            tried=tried,
        )
    return candidates


def _logits_by_count(
    lane: Lane, references: Floats, asked: Array, weights: list[Floats], chosen: Chosen | None
) -> list[dict[int, Floats]]:
    """Logits of each skill by number of neighbours, shape (M, K); zeros for the photos that `asked` (M, S) excludes."""
    logits: list[dict[int, Floats]] = []
    for answers, (skill, labels) in zip(lane.answers.T, lane.labels.items(), strict=True):
        counts = NEIGHBOURS if chosen is None else (chosen[skill]["neighbours"],)
        usable = sorted({min(count, int((answers != UNLABELLED).sum())) for count in counts})
        logits.append({count: np.zeros((len(asked), len(labels)), np.float32) for count in usable})
    tested = unit_rows(lane.validation[:, : references.shape[1]])
    for block in rows_of_similarities(len(tested), len(references)):
        similarity = tested[block] @ references.T
        for column, answers in enumerate(lane.answers.T):
            known, rows = answers != UNLABELLED, np.flatnonzero(asked[block, column])
            if not len(rows):
                continue
            near = similarity[np.ix_(rows, known)]
            for neighbours, scores in logits[column].items():
                votes = neighbour_votes(near, answers[known], weights[column], neighbours)
                scores[block.start + rows] = np.log(smoothed_shares(votes, SMOOTHING))
    return logits
