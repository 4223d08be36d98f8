"""Refit: fit the winners again on the training and the validation photos together."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from coachworks.models.head import softmax
from coachworks.progress import SILENT, Progress
from coachworks.scores import log_loss
from components.train.calibration import Calibration, calibrate, representative
from components.train.candidate import Candidate, Chosen
from components.train.competition import Outcome, fitter
from components.train.config import TrainConfig
from components.train.label_noise import LabelNoise, judge_labels
from components.train.lane import UNLABELLED, Lane
from components.train.out_of_fold import OutOfFold, fit_with_folds
from components.train.reduction import Reduction
from components.train.selection import COMPLEXITY, FINE_TUNE
from components.train.temperature import fit_temperature


@dataclass(frozen=True, eq=False, kw_only=True)
class Refit:
    """The final head of a winner.

    Attributes:
        candidate: Fitted on training and validation photos.
        calibration: Fitted on answers of heads that were fitted without the photo's set.
        out_of_fold: Those answers, of all these photos.
        noise: Noise of the labels, estimated from the same answers.
        photos: Number of labelled photos that it was fitted on.
        seconds: This skill's share of the refit's duration.
        kept: Whether the candidate is the one that competed, not fitted again.
    """

    candidate: Candidate
    calibration: Calibration
    out_of_fold: OutOfFold
    noise: LabelNoise
    photos: int
    seconds: float
    kept: bool = False


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
    photos that it was fitted on, and the head that competed saw fewer photos and is less confident. So it is
    calibrated on out-of-fold answers, of heads that were fitted on four fifths of the photos. The reduction stays that
    of the training photos.

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
    kinds = {skill: outcomes[skill].winner for column, skill in enumerate(lane.skills) if known[:, column].any()}
    kept = {
        skill: keep(lane, joined, skill, outcomes[skill].entries[kind].candidate)
        for skill, kind in kinds.items()
        if kind == FINE_TUNE
    }
    kinds = {skill: kind for skill, kind in kinds.items() if skill not in kept}
    chosen = {skill: outcomes[skill].entries[kind].candidate.parameters for skill, kind in kinds.items()}
    return kept | fit_on_all(joined, len(lane.train), reduction, kinds, chosen, config, progress=progress)


def fit_on_all(
    joined: Lane,
    trained: int,
    reduction: Reduction,
    kinds: Mapping[str, str],
    chosen: Chosen,
    config: TrainConfig,
    *,
    progress: Progress = SILENT,
) -> dict[str, Refit]:
    """Fit a head of each skill on all photos but the test photos, and calibrate it.

    Args:
        joined: The training photos and, after them, the validation photos.
        trained: Number of the training photos.
        reduction: The reduction of the photos.
        kinds: The skills to fit, and the kind of each one's head.
        chosen: Settings of each skill.
        config: Settings.
        progress: Receives progress updates.
    """
    refits: dict[str, Refit] = {}
    with progress.task("refit", total=len(kinds), unit="heads") as task:
        for kind in COMPLEXITY:
            skills = [skill for skill in joined.skills if kinds.get(skill) == kind]
            if not skills:
                continue
            started = time.monotonic()
            own = {skill: chosen[skill] for skill in skills}
            fitted = fit_with_folds(joined.subset(skills), partial(_fit, kind, reduction, config), own)
            seconds = (time.monotonic() - started) / len(skills)
            for skill in skills:
                refits[skill] = refit_of(kind, joined, trained, skill, fitted[skill], round(seconds, 3))
            task.advance(len(skills))
    return refits


def keep(lane: Lane, joined: Lane, skill: str, candidate: Candidate) -> Refit:
    """Return a fine-tuned network as it competed, calibrated on the answers of the skill's validation photos.

    Its training stopped where these were answered best, and without photos to stop by it would go too far.
    """
    answers = lane.validation_answers[:, lane.skills.index(skill)]
    known = np.flatnonzero(answers != UNLABELLED)
    logits, truth = candidate.logits[known], answers[known]
    temperature = fit_temperature(logits, truth)
    losses = {
        "none": log_loss(softmax(logits), truth),
        "temperature": log_loss(softmax(logits, temperature), truth),
    }
    why = (
        f"temperature, from {len(known)} validation answers, by which its training was stopped: log loss "
        f"{losses['none']:.3f} uncorrected, {losses['temperature']:.3f} with it"
    )
    column, trained = lane.skills.index(skill), len(lane.train)
    calibration = Calibration(temperature=temperature, photos=len(known), log_loss=losses, why=why)
    answered = OutOfFold(candidate, logits, trained + known, np.zeros(len(known), np.int64))
    return Refit(
        candidate=candidate,
        calibration=calibration,
        out_of_fold=answered,
        noise=judge_labels(answered, calibration, joined.answers[:, column], joined.train_sets),
        photos=int((lane.answers[:, column] != UNLABELLED).sum()),
        seconds=0.0,
        kept=True,
    )


def refit_of(kind: str, joined: Lane, trained: int, skill: str, fitted: OutOfFold, seconds: float) -> Refit:
    """Return a head that was fitted on all photos, after calibrating it, with the noise of the labels.

    Args:
        kind: Its kind.
        joined: The training photos and, after them, the validation photos.
        trained: Number of the training photos.
        skill: Its skill.
        fitted: The head, and its out-of-fold answers.
        seconds: Duration of the fit.
    """
    answers = joined.answers[:, joined.skills.index(skill)]
    calibration = _calibrate(kind, joined, trained, skill, fitted)
    return Refit(
        candidate=replace(fitted.candidate, arrays=calibration.arrays(fitted.candidate.arrays)),
        calibration=calibration,
        out_of_fold=fitted,
        noise=judge_labels(fitted, calibration, answers, joined.train_sets),
        photos=int((answers != UNLABELLED).sum()),
        seconds=seconds,
    )


def _fit(kind: str, reduction: Reduction, config: TrainConfig, lane: Lane, chosen: Chosen) -> dict[str, Candidate]:
    return fitter(kind)(lane, reduction, config, chosen)


def _calibrate(kind: str, joined: Lane, trained: int, skill: str, answered: OutOfFold) -> Calibration:
    answers, sets = joined.answers[answered.rows, joined.skills.index(skill)], joined.train_sets[answered.rows]
    kept = representative(answered.logits, answers, sets, answered.rows >= trained)
    return calibrate(kind, answered.logits[kept], answers[kept], sets[kept], answered.folds[kept])
