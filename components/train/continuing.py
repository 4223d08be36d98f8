"""Training that continues from an earlier competition: its choices are kept, and what has changed is fitted again."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import copy, copytree
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coachworks.fleet.model import Fleet
from coachworks.models.head import load_head
from coachworks.progress import Progress
from coachworks.result import Result
from components.embed.report import EmbedReport
from components.train.axes import load_axes, reduced, solution_of
from components.train.config import TrainConfig
from components.train.earlier import SMALL, Earlier
from components.train.lane import Lane
from components.train.lane_photos import LanePhotos, photos_of_lane
from components.train.lane_training import head_of, weights_of_labels
from components.train.reading import reader
from components.train.reduction import Reduction
from components.train.refit import Refit, fit_on_all
from components.train.report import SkillReport
from components.train.selection import Score, score
from components.train.skill_reports import calibration_report, noise_report
from components.train.suspicious_labels import write_suspicious_labels

if TYPE_CHECKING:
    import pandas as pd


def continue_lane(
    fleet: Fleet,
    embed: Result[EmbedReport],
    labels: "pd.DataFrame",
    earlier: Mapping[str, Earlier],
    config: TrainConfig,
    progress: Progress,
    folder: Path,
) -> dict[str, SkillReport]:
    """Train skills from their earlier competitions, and save their heads.

    A skill without a change keeps its heads. For the others, the winner is fitted again with the settings, feature
    groups and axes of the competition, a linear one from its last solution. Its out-of-fold answers to the validation
    photos come from about as many photos as those of the competition did. If they are worse by more than two standard
    errors, on photos whose labels are still the same, the choices do not hold any more.

    Args:
        fleet: The fleet.
        embed: The result of embed.
        labels: Admitted labels, one row per photo and skill.
        earlier: The skills, and the competition of each.
        config: Settings.
        progress: Receives progress updates and notes.
        folder: Receives `<skill>/<candidate>.safetensors`.

    Returns:
        The reports of the skills, without those whose candidates must compete again. Their photos per split are those
        of the competition.
    """
    reports: dict[str, SkillReport] = {}
    again: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for skill, then in earlier.items():
        record = then.result.report.skills[skill]
        if then.changed:
            again.setdefault((then.result.key, tuple(record.feature_groups)), []).append(skill)
        else:
            copytree(then.result.path / skill, folder / skill)
            reports[skill] = replace(record, continues=then.result.key)
    for (_, groups), skills in again.items():
        result = earlier[skills[0]].result
        reduction = load_axes(result.path, groups)
        photos = photos_of_lane(fleet, embed, labels, skills, progress)
        lane = _lane(fleet, embed, photos, groups, reduction, config, progress)
        own = {skill: earlier[skill] for skill in skills}
        kept, refits = _fit_again(lane, photos.validation, reduction, own, config, progress, folder)
        noise = {skill: refits[skill].noise for skill in kept}
        write_suspicious_labels(fleet, embed, labels, photos, noise, progress, folder)
        reports |= kept
    return reports


def _lane(
    fleet: Fleet,
    embed: Result[EmbedReport],
    photos: LanePhotos,
    groups: Sequence[str],
    reduction: Reduction,
    config: TrainConfig,
    progress: Progress,
) -> Lane:
    """Return the lane of skills that read the same feature groups along the same axes."""
    read = reader(fleet, embed, progress)

    def points(photo_ids: Sequence[str], view: int) -> NDArray[np.float32]:
        return reduced(read, photo_ids, view, groups, embed.report.group_sizes, reduction)

    return photos.lane(
        points(photos.train, 0),
        tuple(points(photos.train, view) for view in range(1, embed.report.views + 1)),
        points(photos.validation, 0),
        config.class_weights,
    )


def _fit_again(
    lane: Lane,
    validation: Sequence[str],
    reduction: Reduction,
    earlier: Mapping[str, Earlier],
    config: TrainConfig,
    progress: Progress,
    folder: Path,
) -> tuple[dict[str, SkillReport], dict[str, Refit]]:
    """Fit the winners of the skills again, save their heads beside those that lost then, and return the reports.

    Returns:
        The reports, without skills whose candidates must compete again, and all fits.
    """
    records = {skill: then.result.report.skills[skill] for skill, then in earlier.items()}
    heads = {skill: load_head(_winner_file(earlier[skill].result.path, skill, records[skill])) for skill in lane.skills}
    starts = {
        skill: solution_of(head.arrays["weight"], head.arrays["bias"], reduction)
        for skill, head in heads.items()
        if head.kind == "linear"
    }
    policies = {skill: record.imbalance.policy for skill, record in records.items() if record.imbalance}
    lane = replace(lane, starts=starts, policies=policies)
    joined = lane.joined()
    kinds = {skill: head.kind for skill, head in heads.items()}
    chosen = {skill: records[skill].candidates[kind].parameters for skill, kind in kinds.items()}
    refits = fit_on_all(joined, len(lane.train), reduction, kinds, chosen, config, progress=progress)
    reports = {}
    for column, skill in enumerate(lane.skills):
        then, again = earlier[skill], refits[skill]
        same = np.array([photo_id not in then.changed for photo_id in validation])
        if not _holds(_validated(lane, column, again, same, config.seed), records[skill]):
            progress.note(f"{skill}: its winner answers validation photos worse than it did, so all candidates compete")
            continue
        (folder / skill).mkdir()
        for file in (then.result.path / skill).glob("*.safetensors"):
            copy(file, folder / skill)
        old = heads[skill]
        head = head_of(old.kind, again, old.labels, old.backbone_digest, old.groups)
        head.save(_winner_file(folder, skill, records[skill]))
        weights = weights_of_labels(joined, column, old.kind)
        scored = _validated(lane, column, again, np.ones_like(same), config.seed)
        reports[skill] = _report(records[skill], then, scored, again, weights)
    return reports, refits


def _winner_file(folder: Path, skill: str, record: SkillReport) -> Path:
    return folder / skill / f"{record.winner}.safetensors"


def _validated(lane: Lane, column: int, again: Refit, among: NDArray[np.bool_], seed: int) -> Score:
    """Score the out-of-fold answers to a skill's validation photos, only those that `among`, shape (M,), marks."""
    rows = again.out_of_fold.rows - len(lane.train)
    own = rows >= 0
    own[own] = among[rows[own]]
    answers, sets = lane.validation_answers[rows[own], column], lane.validation_sets[rows[own]]
    return score(again.out_of_fold.logits[own], answers, sets, seed=seed)


def _holds(now: Score, record: SkillReport) -> bool:
    """Return whether a winner answers validation photos as well as when it won, within two standard errors."""
    then = record.candidates[str(record.winner)]
    if then.validation_balanced_accuracy is None or then.standard_error is None:
        return False
    fall = then.validation_balanced_accuracy - now.balanced_accuracy  # not a number if no validation photo is left
    return fall <= 2 * math.hypot(then.standard_error, now.standard_error)


def _report(
    record: SkillReport, then: Earlier, scored: Score, again: Refit, weights: Mapping[str, float]
) -> SkillReport:
    """Return the report of a skill whose winner was fitted again."""
    winner = str(record.winner)
    before = record.candidates[winner]
    photos = "photo was" if len(then.changed) == 1 else "photos were"
    why = (
        f"{record.why}. Since then {len(then.changed)} of {then.photos} training and validation {photos} added, "
        f"removed or relabelled; up to {SMALL:.0%} its choices are kept, so it was fitted again with the same settings "
        f"on all {again.photos}; {scored.balanced_accuracy:.3f} on validation, out of fold, "
        f"{before.validation_balanced_accuracy:.3f} then"
    )
    measured = replace(
        before,
        validation_balanced_accuracy=scored.balanced_accuracy,
        standard_error=scored.standard_error,
        parameters=again.candidate.parameters,
        seconds=0.0,
    )
    return replace(
        record,
        class_weights=weights,
        candidates={**record.candidates, winner: measured},
        why=why,
        winner_photos=again.photos,
        temperature=again.calibration.temperature,
        calibration=calibration_report(again.calibration),
        label_noise=noise_report(again.noise),
        refit_seconds=again.seconds,
        continues=then.result.key,
        changed_photos=len(then.changed),
    )
