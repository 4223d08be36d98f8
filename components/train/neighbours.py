"""Candidate `knn`: the labels of the most similar training photos."""

import numpy as np

from coachworks.models.head import neighbour_votes, smoothed_shares, unit_rows
from components.train.candidate import Candidate, Chosen, Trial, best_trial
from components.train.config import TrainConfig
from components.train.lane import UNLABELLED, Lane, label_weights
from components.train.reduction import Reduction

COMPONENTS = 128
NEIGHBOURS = (3, 5, 10, 20, 40)
SMOOTHING = 0.5  # votes added to every label, so that no share is 0


def fit(lane: Lane, reduction: Reduction, config: TrainConfig, chosen: Chosen | None = None) -> dict[str, Candidate]:
    """Fit k-nearest neighbours (Cover & Hart, 1967, doi:10.1109/TIT.1967.1053964) by cosine in reduced dimensions.

    With `chosen` there is no search: it holds the number of neighbours of each skill.
    """
    kept = min(COMPONENTS, lane.train.shape[1])
    references = unit_rows(lane.train[:, :kept])
    similarity = unit_rows(lane.validation[:, :kept]) @ references.T
    candidates = {}
    for column, (skill, labels) in enumerate(lane.labels.items()):
        answers = lane.answers[:, column]
        known = answers != UNLABELLED
        weights = label_weights(answers[known], len(labels), lane.class_weights)
        near = similarity[:, known]
        trials = []
        counts = NEIGHBOURS if chosen is None else (chosen[skill]["neighbours"],)
        for neighbours in sorted({min(count, int(known.sum())) for count in counts}):
            votes = neighbour_votes(near, answers[known], weights, neighbours)
            trials.append(Trial({"neighbours": neighbours}, np.log(smoothed_shares(votes, SMOOTHING))))
        best, tried = best_trial(trials, lane.validation_answers[:, column])
        candidates[skill] = Candidate(
            arrays={
                "offset": reduction.offset,
                "projection": np.ascontiguousarray(reduction.projection[:, :kept]),
                "references": references[known],
                "reference_labels": answers[known],
                "label_weights": weights,
            },
            logits=trials[best].logits,
            parameters={**trials[best].parameters, "components": kept, "smoothing": SMOOTHING},
            tried=tried,
        )
    return candidates
