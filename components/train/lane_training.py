"""Training of a lane: features, a competition for each set of feature groups, the winners' refit, and the heads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coachworks.feature_table import FeatureTable
from coachworks.fleet.model import Fleet
from coachworks.models.head import Head
from coachworks.progress import Progress
from coachworks.result import Result
from components.embed.report import EmbedReport
from components.embed.stored_features import read_features
from components.train.axes import save_axes
from components.train.competition import Entry, Outcome, compete
from components.train.config import TrainConfig
from components.train.feature_sets import FeatureSet, FeatureSets
from components.train.group_choice import Choice, choose_groups
from components.train.lane import UNLABELLED, Lane, label_weights
from components.train.lane_photos import photos_of_lane
from components.train.refit import Refit, refit

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    """The outcome of a lane by skill: the competition, the refit if any, and what they were given.

    Attributes:
        outcomes: The competitions.
        refits: The winners, fitted again; none where there is nothing to fit on.
        class_weights: Weight of a photo of each label.
        choices: Feature groups.
        explained: Share of the variance that the reduced features keep.
        left_out: Views left out or given other labels, in words; only skills that have any.
    """

    outcomes: dict[str, Outcome]
    refits: dict[str, Refit]
    class_weights: dict[str, Mapping[str, float]]
    choices: Mapping[str, Choice]
    explained: dict[str, float]
    left_out: Mapping[str, str]


def train_lane(
    fleet: Fleet,
    embed: Result[EmbedReport],
    labels: "pd.DataFrame",
    skills: list[str],
    config: TrainConfig,
    progress: Progress,
    folder: Path,
) -> Trained:
    """Train the candidates of a lane's skills, and save their heads.

    Args:
        fleet: The fleet.
        embed: The result of embed.
        labels: Admitted labels, one row per photo and skill.
        skills: The skills, each with a training photo of every label.
        config: Settings.
        progress: Receives progress updates and notes.
        folder: Receives `<skill>/<candidate>.safetensors`.

    Raises:
        DataError: a photo is damaged whose features have to be computed again.
    """
    photos = photos_of_lane(fleet, embed, labels, skills, progress)

    def read(photo_ids: Sequence[str], view: int, group: str) -> FeatureTable:
        return read_features(fleet, embed, photo_ids, view, groups=(group,), progress=progress)

    sizes = embed.report.group_sizes
    feature_sets = FeatureSets(read, photos.train, photos.validation, sizes, config.components)
    # a set is in one split only
    every_set = np.concatenate([photos.train_sets, photos.validation_sets + len(photos.train)])
    joined = np.concatenate([photos.answers, photos.validation_answers])
    choices = choose_groups(feature_sets, photos.labels, joined, every_set, config)
    chosen = [feature_sets.fit(groups) for groups in dict.fromkeys(choice.groups for choice in choices.values())]
    views = feature_sets.views(chosen, embed.report.views)
    del feature_sets  # and with it the tables of groups that no skill reads
    trained = Trained(outcomes={}, refits={}, class_weights={}, choices=choices, explained={}, left_out=photos.left_out)
    for fitted in chosen:
        own = [skill for skill in skills if choices[skill].groups == fitted.groups]
        data = photos.lane(fitted.train, views[fitted.groups], fitted.validation, config.class_weights).subset(own)
        _compete(fleet, data, fitted, trained, config, progress, embed.report.backbone_digest, folder)
    return trained


def _compete(
    fleet: Fleet,
    data: Lane,
    fitted: FeatureSet,
    trained: Trained,
    config: TrainConfig,
    progress: Progress,
    backbone_digest: str,
    folder: Path,
) -> None:
    """Train the skills of a lane that read the same feature groups, save their heads, and add them to `trained`."""
    reduction = fitted.reduction
    outcomes = compete(data, reduction, {s: fleet.candidates(s) for s in data.skills}, config, progress=progress)
    joined = data.joined()
    refits = refit(data, joined, reduction, outcomes, config, progress=progress)
    save_axes(reduction, fitted.groups, folder)
    for column, (skill, names) in enumerate(data.labels.items()):
        trained.class_weights[skill] = weights_of_labels(joined, column, config.class_weights)
        trained.explained[skill] = reduction.explained
        _save_heads(outcomes[skill], refits.get(skill), names, backbone_digest, fitted.groups, folder / skill)
    trained.outcomes.update(outcomes)
    trained.refits.update(refits)


def weights_of_labels(lane: Lane, column: int, class_weights: str) -> dict[str, float]:
    """Return the weight of one photo of each label in the skill of a column."""
    names = list(lane.labels.values())[column]
    known = lane.answers[lane.answers[:, column] != UNLABELLED, column]
    return dict(zip(names, label_weights(known, len(names), class_weights).tolist(), strict=True))


def _save_heads(
    outcome: Outcome,
    refit: Refit | None,
    labels: tuple[str, ...],
    backbone_digest: str,
    groups: tuple[str, ...],
    folder: Path,
) -> None:
    folder.mkdir()
    for name, entry in outcome.entries.items():
        fitted = refit if refit and name == outcome.winner else entry
        head_of(name, fitted, labels, backbone_digest, groups).save(folder / f"{name}.safetensors")


def head_of(
    kind: str, fitted: Entry | Refit, labels: tuple[str, ...], backbone_digest: str, groups: tuple[str, ...]
) -> Head:
    """Return the head of a candidate, as it competed or as it was fitted again."""
    candidate = fitted.candidate
    return Head(
        kind=kind,
        labels=labels,
        arrays=candidate.arrays,
        backbone_digest=backbone_digest,
        temperature=fitted.calibration.temperature if isinstance(fitted, Refit) else 1.0,
        parameters=candidate.parameters,
        groups=groups,
    )
