"""The refit: the winners fitted once more, on the training and the validation photos together."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from coachworks.context import ALONE, Context
from components.train.candidate import Candidate
from components.train.competition import Outcome, fitter
from components.train.config import TrainConfig
from components.train.lane import UNLABELLED, Lane
from components.train.reduction import Reduction
from components.train.selection import COMPLEXITY
from components.train.temperature import fit_temperature


@dataclass(frozen=True, eq=False, kw_only=True)
class Refit:
    """A winner as it is handed over.

    Attributes:
        candidate: Fitted on training and validation photos; it has no logits, since no photos are left to validate on.
        temperature: Fitted on the validation photos with the winner as it was fitted on the training photos alone.
        photos: Labelled photos that it was fitted on.
        seconds: This skill's share of the time that the refit took.
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
    context: Context = ALONE,
) -> dict[str, Refit]:
    """Fit the winner of each skill again, with the settings that validation picked, on all photos but the test photos.

    Once the model is chosen the validation photos have done their work, and the more photos the better (Hastie,
    Tibshirani & Friedman, "The Elements of Statistical Learning", 2nd ed., sections 7.2 and 7.10). They can no longer
    calibrate what has learnt from them: the temperature is that of the head which has not. The reduced dimensions
    stay those of the training photos: they do not depend on answers.

    Args:
        lane: What the winners were chosen on.
        joined: The same with the validation photos among the training photos, `lane.joined()`.
        reduction: What both were reduced by.
        outcomes: How each skill's competition ended.
        config: Settings.
        context: The run this is part of.

    Returns:
        The refit of each skill, without those that have no validation photo: nothing would be new to their winners.
    """
    known = lane.validation_answers != UNLABELLED
    refits: dict[str, Refit] = {}
    again = [skill for column, skill in enumerate(lane.skills) if known[:, column].any()]
    with context.progress.task("refit", total=len(again), unit="heads") as task:
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
