"""The step train as a library function: from features and labels to heads and a report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coachworks.code_digest import code_digest
from coachworks.context import Context, open_context
from coachworks.fleet.model import Fleet
from coachworks.progress import Progress
from coachworks.result import Result
from coachworks.results import ancestor, load, produce
from coachworks.store import Store
from coachworks.tables import SPLITS
from components.augment.report import AugmentReport
from components.embed.report import EmbedReport
from components.train.config import TrainConfig
from components.train.report import CalibrationReport, CandidateReport, FeatureTrial, SkillReport, TrainReport
from components.validate.report import ValidateReport
from validation import Verdict

if TYPE_CHECKING:
    import pandas as pd

    from components.train.calibration import Calibration
    from components.train.competition import Entry, Outcome
    from components.train.feature_sets import FeatureSet
    from components.train.group_choice import Choice
    from components.train.lane import Lane
    from components.train.refit import Refit


def train(
    fleet: Fleet,
    embed: str,
    skills: Sequence[str] | None = None,
    *,
    config: TrainConfig | None = None,
    context: Context | None = None,
) -> Result[TrainReport]:
    """Train the candidates of a lane of skills on the features, and pick a winner for each skill.

    Args:
        fleet: The fleet, located.
        embed: Key of the result of embed.
        skills: The lane; None is all skills of the fleet.
        config: Settings; None is the defaults.
        context: The surroundings of the task; None opens the fleet's own store.

    Returns:
        `<skill>/<candidate>.safetensors` for every candidate trained, and a `TrainReport`. The winner's file holds the
        head fitted again on training and validation photos, with its temperature; the others are as they competed. A
        skill that cannot be trained is dropped with a reason, and the others go on.

    Raises:
        NotFoundError: there is no such result of embed.
        DataError: a photo is damaged whose features have to be computed again.
    """
    settings = config or TrainConfig()
    lane = list(skills) if skills is not None else list(fleet.spec.skills)
    context = context or open_context(fleet)
    store = context.store
    inputs = {
        "embed": embed,
        "skills": {
            name: {"labels": fleet.skill(name).labels, "candidates": sorted(fleet.candidates(name))} for name in lane
        },
        "class_weights": settings.class_weights,
        "components": settings.components,
        "seed": settings.seed,
    }
    if fleet.spec.augment.exchange_labels:
        inputs["exchange_labels"] = True

    def build(folder: Path) -> TrainReport:
        return _build(store, fleet, load(store, EmbedReport, embed), lane, settings, context.progress, folder)

    return produce(TrainReport, inputs, build, context=context, code=code_digest(__name__))


@dataclass(frozen=True, eq=False, kw_only=True)
class _Trained:
    """The outcome of a lane by skill: the competition, the refit if any, and what they were given.

    Attributes:
        outcomes: The competitions.
        refits: The winners, fitted again; none where there is nothing to fit on.
        class_weights: Weight of a photo of each label.
        choices: Feature groups.
        explained: Share of the variance that the reduced features keep.
        left_out: Views left out or given other labels, in words; only skills that have any.
    """

    outcomes: "dict[str, Outcome]"
    refits: "dict[str, Refit]"
    class_weights: dict[str, Mapping[str, float]]
    choices: "Mapping[str, Choice]"
    explained: dict[str, float]
    left_out: Mapping[str, str]


def _build(
    store: Store,
    fleet: Fleet,
    embed: Result[EmbedReport],
    lane: list[str],
    config: TrainConfig,
    progress: Progress,
    folder: Path,
) -> TrainReport:
    from components.validate.admitted import admitted

    validate = ancestor(store, embed, ValidateReport)
    labels = admitted(store, validate, fleet)
    labels = labels[labels["skill"].isin(lane)]
    counts = {skill: _counts(labels, skill) for skill in lane}
    reasons = {
        skill: _reason_to_drop(validate.report.skills.get(skill), fleet.skill(skill).labels, labels, skill)
        for skill in lane
    }
    trained = [skill for skill in lane if not reasons[skill]]
    for skill in lane:
        if reasons[skill]:
            progress.note(f"{skill} is left out: {reasons[skill]}")
    result = _train(fleet, embed, labels, trained, config, progress, folder) if trained else None
    return TrainReport(
        skills={
            skill: _trained_report(skill, fleet, counts[skill], result)
            if result and skill in trained
            else SkillReport(
                status="dropped",
                reason=reasons[skill],
                labels=tuple(fleet.skill(skill).labels),
                photos=counts[skill],
                class_weights={},
                candidates={},
            )
            for skill in lane
        },
        backbone_digest=embed.report.backbone_digest,
        policy_digest=ancestor(store, embed, AugmentReport).report.policy_digest,
        class_weights=config.class_weights,
        explained_variance=min(result.explained.values()) if result else None,
    )


def _train(
    fleet: Fleet,
    embed: Result[EmbedReport],
    labels: "pd.DataFrame",
    skills: list[str],
    config: TrainConfig,
    progress: Progress,
    folder: Path,
) -> _Trained:
    from components.embed.stored_features import read_features
    from components.train.feature_sets import FeatureSets
    from components.train.group_choice import choose_groups
    from components.train.label_matrix import answer_table
    from components.train.lane import Lane
    from components.train.usable_views import broken_transforms, left_out, view_answers

    vocabulary = {skill: tuple(fleet.skill(skill).labels) for skill in skills}
    labels = labels[labels["skill"].isin(skills)]
    photos, answers, own_sets = answer_table(labels[labels["split"] == "train"], vocabulary)
    tested, tested_answers, sets = answer_table(labels[labels["split"] == "validation"], vocabulary)

    def read(photo_ids: Sequence[str], view: int, group: str) -> NDArray[np.float32]:
        return read_features(fleet, embed, photo_ids, view, groups=(group,), progress=progress)

    exchanges = fleet.spec.augment.exchange_labels
    broken = broken_transforms(embed.report.study, skills)
    remarks = {skill: left_out(effects, exchanges=exchanges) for skill, effects in broken.items()}
    for skill, remark in remarks.items():
        progress.note(f"{skill}: {remark}")
    seen: tuple[NDArray[np.int64], ...] = ()
    if broken:
        augment = ancestor(embed.store, embed, AugmentReport)
        seen = view_answers(augment.path, photos, answers, vocabulary, broken, exchanges=exchanges)
    feature_sets = FeatureSets(read, photos, tested, embed.report.group_sizes, config.components)
    every_set = np.concatenate([own_sets, sets + len(photos)])  # a set is in one split only
    joined = np.concatenate([answers, tested_answers])
    choices = choose_groups(feature_sets, vocabulary, joined, every_set, config)
    chosen = [feature_sets.fit(groups) for groups in dict.fromkeys(choice.groups for choice in choices.values())]
    views = feature_sets.views(chosen, embed.report.views)
    trained = _Trained(outcomes={}, refits={}, class_weights={}, choices=choices, explained={}, left_out=remarks)
    for fitted in chosen:
        data = Lane(
            labels=vocabulary,
            train=fitted.train,
            views=views[fitted.groups],
            answers=answers,
            train_sets=own_sets,
            validation=fitted.validation,
            validation_answers=tested_answers,
            validation_sets=sets,
            class_weights=config.class_weights,
            view_answers=seen,
        ).subset([skill for skill in skills if choices[skill].groups == fitted.groups])
        _compete(fleet, data, fitted, trained, config, progress, embed.report.backbone_digest, folder)
    return trained


def _compete(
    fleet: Fleet,
    data: "Lane",
    fitted: "FeatureSet",
    trained: _Trained,
    config: TrainConfig,
    progress: Progress,
    backbone_digest: str,
    folder: Path,
) -> None:
    """Train the skills of a lane that read the same feature groups, save their heads, and add them to `trained`."""
    from components.train.competition import compete
    from components.train.lane import UNLABELLED, label_weights
    from components.train.refit import refit

    reduction = fitted.reduction
    outcomes = compete(data, reduction, {s: fleet.candidates(s) for s in data.skills}, config, progress=progress)
    joined = data.joined()
    refits = refit(data, joined, reduction, outcomes, config, progress=progress)
    for column, (skill, names) in enumerate(data.labels.items()):
        known = joined.answers[joined.answers[:, column] != UNLABELLED, column]
        weights = label_weights(known, len(names), config.class_weights).tolist()
        trained.class_weights[skill] = dict(zip(names, weights, strict=True))
        trained.explained[skill] = reduction.explained
        _save_heads(outcomes[skill], refits.get(skill), names, backbone_digest, fitted.groups, folder / skill)
    trained.outcomes.update(outcomes)
    trained.refits.update(refits)


def _save_heads(
    outcome: "Outcome",
    refit: "Refit | None",
    labels: tuple[str, ...],
    backbone_digest: str,
    groups: tuple[str, ...],
    folder: Path,
) -> None:
    from coachworks.models.head import Head

    folder.mkdir()
    for name, entry in outcome.entries.items():
        again = refit if name == outcome.winner else None
        candidate = again.candidate if again else entry.candidate
        Head(
            kind=name,
            labels=labels,
            arrays=candidate.arrays,
            backbone_digest=backbone_digest,
            temperature=again.calibration.temperature if again else 1.0,
            parameters=candidate.parameters,
            groups=groups,
        ).save(folder / f"{name}.safetensors")


def _counts(labels: "pd.DataFrame", skill: str) -> dict[str, int]:
    rows = labels[labels["skill"] == skill]
    return {split: int((rows["split"] == split).sum()) for split in SPLITS}


def _reason_to_drop(verdict: Verdict | None, vocabulary: Sequence[str], labels: "pd.DataFrame", skill: str) -> str:
    """Return the reason why a skill cannot be trained, and what to do; empty if it can."""
    if verdict is not None and not verdict.passed:
        failures = "; ".join(finding.message.rstrip(".") for finding in verdict.failures) or "see its page"
        return f"it did not pass validate: {failures}"
    rows = labels[(labels["skill"] == skill) & (labels["split"] == "train")]
    missing = sorted(set(vocabulary) - set(rows["label"].unique()), key=list(vocabulary).index)
    if missing:
        names = ", ".join(repr(label) for label in missing)
        return f"no training photo carries {names}. Label photos of it, or take it out of the skill's labels"
    return ""


def _trained_report(skill: str, fleet: Fleet, photos: Mapping[str, int], trained: _Trained) -> SkillReport:
    outcome, refit, choice = trained.outcomes[skill], trained.refits.get(skill), trained.choices[skill]
    why = outcome.why
    if refit:
        why += f". With its settings it was then fitted again on all {refit.photos} training and validation photos"
    return SkillReport(
        status="trained",
        labels=tuple(fleet.skill(skill).labels),
        photos=photos,
        class_weights=trained.class_weights[skill],
        candidates={name: _candidate_report(name, entry) for name, entry in outcome.entries.items()},
        winner=outcome.winner,
        why=why,
        refitted=refit is not None,
        winner_photos=refit.photos if refit else photos["train"],
        temperature=refit.calibration.temperature if refit else 1.0,
        calibration=_calibration_report(refit.calibration) if refit else None,
        refit_seconds=refit.seconds if refit else 0.0,
        feature_groups=choice.groups,
        why_features=choice.why,
        feature_trials=tuple(
            FeatureTrial(
                groups=groups,
                balanced_accuracy=tried.balanced_accuracy,
                standard_error=tried.standard_error,
            )
            for groups, tried in choice.tried.items()
        ),
        left_out=trained.left_out.get(skill, ""),
    )


def _calibration_report(calibration: "Calibration") -> CalibrationReport:
    return CalibrationReport(
        method=calibration.method,
        photos=calibration.photos,
        log_loss=calibration.log_loss,
        standard_error=calibration.standard_error,
        why=calibration.why,
    )


def _candidate_report(name: str, entry: "Entry") -> CandidateReport:
    from components.train.selection import COMPLEXITY

    return CandidateReport(
        validation_balanced_accuracy=entry.score.balanced_accuracy,
        standard_error=entry.score.standard_error,
        complexity=COMPLEXITY.index(name),
        parameters=entry.candidate.parameters,
        tried=entry.candidate.tried,
        seconds=entry.seconds,
    )
