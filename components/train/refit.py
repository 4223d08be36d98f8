"""Refit: fit the winners again on the training and the validation photos together."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from coachworks.progress import SILENT, Progress
from components.train.candidate import Candidate
from components.train.competition import Outcome, fitter
from components.train.config import TrainConfig
from components.train.lane import UNLABELLED, Lane
from components.train.reduction import Reduction
from components.train.selection import COMPLEXITY
from components.train.temperature import fit_temperature


@dataclass(frozen=True, eq=False, kw_only=True)
class Refit:
    """The final head of a winner.

    Attributes:
        candidate: Fitted on training and validation photos; its logits are empty, as no photos are left to validate on.
        temperature: Fitted on the validation photos with the head that was fitted on the training photos alone.
        photos: Number of labelled photos that it was fitted on.
        seconds: This skill's share of the refit's duration.
    """

    candidate: Candidate
    temperature: float
    photos: int
    seconds: float


def refit(
    lane: Lane,
    joined: Lane,
    reduction: Reduction,
    outcomes: Mapping[str, Outcome],
    config: TrainConfig,
    *,
    progress: Progress = SILENT,
) -> dict[str, Refit]:
    """Fit the winner of each skill again, with the settings that validation picked, on all photos but the test photos.

    Once the model is chosen the validation photos are free, and more photos make a better head (Hastie, Tibshirani &
    Friedman, "The Elements of Statistical Learning", 2nd ed., sections 7.2 and 7.10). A head cannot be calibrated on
    photos that it was fitted on, so the temperature is that of the head fitted on the training photos alone. The
    reduction stays that of the training photos.

    Args:
        lane: The data that the winners were chosen on.
        joined: The same data with the validation photos among the training photos, `lane.joined()`.
        reduction: The reduction of both.
        outcomes: Result of each skill's competition.
        config: Settings.
        progress: Receives progress updates.

    Returns:
        The refit of each skill that has validation photos; the others have nothing to add.
    """
    known = lane.validation_answers != UNLABELLED
    refits: dict[str, Refit] = {}
    again = [skill for column, skill in enumerate(lane.skills) if known[:, column].any()]
    with progress.task("refit", total=len(again), unit="heads") as task:
        for kind in COMPLEXITY:
            skills = [skill for skill in again if outcomes[skill].winner == kind]
            if not skills:
                continue
            started = time.monotonic()
            before = {skill: outcomes[skill].entries[kind].candidate for skill in skills}
            chosen = {skill: before[skill].parameters for skill in skills}
            candidates = fitter(kind)(joined.subset(skills), reduction, config, chosen)
            seconds = (time.monotonic() - started) / len(skills)
            for skill in skills:
                column = lane.skills.index(skill)
                rows, answers = known[:, column], lane.validation_answers[:, column]
                refits[skill] = Refit(
                    candidate=candidates[skill],
                    temperature=fit_temperature(np.asarray(before[skill].logits)[rows], answers[rows]),
                    photos=int((joined.answers[:, column] != UNLABELLED).sum()),
                    seconds=round(seconds, 3),
                )
            task.advance(len(skills))
    return refits
