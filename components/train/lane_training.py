"""Training of a lane: features, a competition for each set of feature groups, the winners' refit, and the heads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coachworks.fleet.model import Fleet
from coachworks.models.head import Head
from coachworks.progress import Progress
from coachworks.result import Result
from components.embed.report import EmbedReport
from components.train.axes import save_axes
from components.train.competition import Entry, Outcome, compete
from components.train.config import TrainConfig
from components.train.feature_sets import FeatureSet, FeatureSets
from components.train.fine_tune.candidate import FineTuning
from components.train.group_choice import Choice, choose_groups
from components.train.imbalance import Imbalance, weighing
from components.train.lane import UNLABELLED, Lane, label_weights
from components.train.lane_photos import photos_of_lane
from components.train.noise_policy import NoisePolicy, stand_noise
from components.train.policy_choice import choose_policies
from components.train.reading import reader
from components.train.refit import Refit, refit
from components.train.suspicious_labels import write_suspicious_labels
from components.train.vote_shares import read_vote_shares

if TYPE_CHECKING:
    import pandas as pd

    from components.train.fine_tune.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    """The outcome of a lane by skill: the competition, the refit if any, and what they were given.

    Attributes:
        outcomes: The competitions.
        refits: The winners, fitted again; none where there is nothing to fit on.
        class_weights: Weight of a photo of each label.
        choices: Feature groups.
        imbalances: Policies against imbalance.
        explained: Share of the variance that the reduced features keep.
        left_out: Views left out or given other labels, in words; only skills that have any.
        losses: Choices of losses that stand wrong labels; only skills with many of them.
    """

    outcomes: dict[str, Outcome]
    refits: dict[str, Refit]
    class_weights: dict[str, Mapping[str, float]]
    choices: Mapping[str, Choice]
    imbalances: dict[str, Imbalance]
    explained: dict[str, float]
    left_out: Mapping[str, str]
    losses: dict[str, NoisePolicy] = field(default_factory=dict)


def train_lane(
    fleet: Fleet,
    embed: Result[EmbedReport],
    labels: "pd.DataFrame",
    skills: list[str],
    config: TrainConfig,
    progress: Progress,
    folder: Path,
    checkpoints: "list[Checkpoint]",
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
        checkpoints: Receives the checkpoints that are of no use once the result is published.

    Raises:
        DataError: a photo is damaged whose features have to be computed again.
    """
    photos = photos_of_lane(fleet, embed, labels, skills, progress)

    read = reader(fleet, embed, progress)
    sizes = embed.report.group_sizes
    feature_sets = FeatureSets(read, photos.train, photos.validation, sizes, config.components)
    # a set is in one split only
    every_set = np.concatenate([photos.train_sets, photos.validation_sets + len(photos.train)])
    joined = np.concatenate([photos.answers, photos.validation_answers])
    choices = choose_groups(feature_sets, photos.labels, joined, every_set, config)
    chosen = [feature_sets.fit(groups) for groups in dict.fromkeys(choice.groups for choice in choices.values())]
    views = feature_sets.views(chosen, embed.report.views)
    del feature_sets  # and with it the tables of groups that no skill reads
    trained = Trained(
        outcomes={},
        refits={},
        class_weights={},
        choices=choices,
        imbalances={},
        explained={},
        left_out=photos.left_out,
    )
    shares = read_vote_shares(fleet, embed, photos)
    with FineTuning(fleet, embed, photos, read, progress, checkpoints) as tuning:
        for fitted in chosen:
            own = [skill for skill in skills if choices[skill].groups == fitted.groups]
            data = photos.lane(fitted.train, views[fitted.groups], fitted.validation, config.class_weights).subset(own)
            backbone = embed.report.backbone_digest
            _compete(fleet, data, fitted, trained, shares, config, progress, backbone, folder, tuning)
    noise = {skill: again.noise for skill, again in trained.refits.items()}
    write_suspicious_labels(fleet, embed, labels, photos, noise, progress, folder)
    return trained


def _compete(
    fleet: Fleet,
    data: Lane,
    fitted: FeatureSet,
    trained: Trained,
    shares: Callable[[str], NDArray[Any] | None],
    config: TrainConfig,
    progress: Progress,
    backbone_digest: str,
    folder: Path,
    tuning: FineTuning,
) -> None:
    """Train the skills of a lane that read the same feature groups, save their heads, and add them to `trained`."""
    reduction = fitted.reduction
    joined = data.joined()
    imbalances = choose_policies(joined, config)
    policies = {skill: imbalance.policy for skill, imbalance in imbalances.items()}
    data, joined = replace(data, policies=policies), replace(joined, policies=policies)
    kinds = {skill: fleet.candidates(skill) for skill in data.skills}
    limits = {skill: fleet.enough_without_tuning(skill) for skill in data.skills}
    enough = {skill: limit for skill, limit in limits.items() if limit is not None}
    fine_tune = tuning.fitter(fitted.groups)
    outcomes = compete(data, reduction, kinds, config, fine_tune=fine_tune, enough=enough, progress=progress)
    refits = refit(data, joined, reduction, outcomes, config, progress=progress)
    losses = stand_noise(joined, len(data.train), reduction, outcomes, refits, shares=shares, progress=progress)
    save_axes(reduction, fitted.groups, folder)
    for column, (skill, names) in enumerate(data.labels.items()):
        # a head that stands noise reaches labels that count alike by weights, whatever the policy of `linear`
        kind = losses[skill].loss if skill in losses and losses[skill].loss else outcomes[skill].winner
        trained.class_weights[skill] = weights_of_labels(joined, column, kind)
        trained.explained[skill] = reduction.explained
        _save_heads(outcomes[skill], refits.get(skill), names, backbone_digest, fitted.groups, folder / skill)
    trained.losses.update(losses)
    trained.outcomes.update(outcomes)
    trained.imbalances.update(imbalances)
    trained.refits.update(refits)


def weights_of_labels(lane: Lane, column: int, kind: str) -> dict[str, float]:
    """Return the weight of one photo of each label in a candidate of the skill of a column."""
    skill = lane.skills[column]
    names = lane.labels[skill]
    known = lane.answers[lane.answers[:, column] != UNLABELLED, column]
    return dict(zip(names, label_weights(known, len(names), weighing(kind, lane.policy(skill))).tolist(), strict=True))


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
        groups=candidate.groups or groups,
    )
