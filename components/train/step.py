"""The library face of train: features and labels in, heads and a report out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coachworks.context import ALONE, Context
from coachworks.errors import DataError
from coachworks.fleet.model import Fleet
from coachworks.results import Result, ancestor, load, produce
from coachworks.steps import code_digest
from coachworks.store import Store, open_store
from coachworks.tables import SPLITS
from components.train.config import TrainConfig
from components.train.report import CandidateReport, SkillReport, TrainReport

if TYPE_CHECKING:
    import pandas as pd

    from components.train.competition import Outcome


def train(
    fleet: Fleet,
    embed: str,
    skills: Sequence[str] | None = None,
    *,
    config: TrainConfig | None = None,
    context: Context = ALONE,
) -> Result:
    """Train the candidates of a lane of skills on the features, and pick a winner for each skill.

    Args:
        fleet: The fleet, located.
        embed: Key of the result of embed.
        skills: The lane; None is all skills of the fleet.
        config: Settings; None is the defaults.
        context: The run this is part of.

    Returns:
        `<skill>/<candidate>.safetensors` for every candidate trained, and a `TrainReport`. A skill that cannot be
        trained is dropped with its reason, and the others go on.

    Raises:
        NotFoundError: there is no such result of embed.
        DataError: the features hold NaN or infinity.
    """
    settings = config or TrainConfig()
    lane = list(skills) if skills is not None else list(fleet.spec.skills)
    store = open_store(fleet.spec.store)
    inputs = {
        "embed": embed,
        "skills": {
            name: {"labels": fleet.skill(name).labels, "candidates": sorted(fleet.candidates(name))} for name in lane
        },
        "class_weights": settings.class_weights,
        "components": settings.components,
        "seed": settings.seed,
    }

    def build(folder: Path) -> TrainReport:
        return _build(store, fleet, load(store, "embed", embed), lane, settings, context, folder)

    return produce(store, "train", inputs, build, context=context, code=code_digest(__file__))


def _build(
    store: Store, fleet: Fleet, embed: Result, lane: list[str], config: TrainConfig, context: Context, folder: Path
) -> TrainReport:
    from components.validate.admitted import admitted

    validate = ancestor(store, embed, "validate")
    labels = admitted(store, validate, fleet)
    labels = labels[labels["skill"].isin(lane)]
    counts = {skill: _counts(labels, skill) for skill in lane}
    reasons = {
        skill: _reason_to_drop(validate.report["skills"].get(skill), fleet.skill(skill).labels, labels, skill)
        for skill in lane
    }
    trained = [skill for skill in lane if not reasons[skill]]
    for skill in lane:
        if reasons[skill]:
            context.progress.note(f"{skill} is left out: {reasons[skill]}")
    outcomes: Mapping[str, Outcome] = {}
    weights: Mapping[str, Mapping[str, float]] = {}
    explained = None
    if trained:
        outcomes, weights, explained = _train(store, fleet, embed, labels, trained, config, context, folder)
    return TrainReport(
        skills={skill: _skill_report(skill, fleet, counts[skill], reasons[skill], weights, outcomes) for skill in lane},
        backbone_digest=embed.report["backbone_digest"],
        policy_digest=ancestor(store, embed, "augment").report["policy_digest"],
        class_weights=config.class_weights,
        explained_variance=explained,
    )


def _train(
    store: Store,
    fleet: Fleet,
    embed: Result,
    labels: "pd.DataFrame",
    skills: list[str],
    config: TrainConfig,
    context: Context,
    folder: Path,
) -> "tuple[Mapping[str, Outcome], Mapping[str, Mapping[str, float]], float]":
    from components.embed.features import load_features
    from components.train.answers import answer_table
    from components.train.competition import compete
    from components.train.heads import Head
    from components.train.lane import UNLABELLED, Lane, label_weights
    from components.train.reduction import fit_reduction

    vocabulary = {skill: tuple(fleet.skill(skill).labels) for skill in skills}
    labels = labels[labels["skill"].isin(skills)]
    photos, answers, _ = answer_table(labels[labels["split"] == "train"], vocabulary)
    tested, tested_answers, sets = answer_table(labels[labels["split"] == "validation"], vocabulary)

    def features(photo_ids: list[str], view: int) -> NDArray[np.float32]:
        loaded = load_features(store, embed.report, photo_ids, view)
        if not np.isfinite(loaded).all():
            bad = photo_ids[int(np.flatnonzero(~np.isfinite(loaded).all(1))[0])]
            raise DataError(
                f"features must be finite; those of the photo {bad} (view {view}) hold NaN or infinity. "
                "Check the backbone, then run `coachworks embed` afresh."
            )
        return loaded

    clean = features(photos, 0)
    reduction = fit_reduction(clean, config.components)
    data = Lane(
        labels=vocabulary,
        train=reduction(clean),
        # each view is reduced before the next one is read: the raw features of all views are never in memory together
        views=tuple(reduction(features(photos, view)) for view in range(1, int(embed.report["views"]) + 1)),
        answers=answers,
        validation=reduction(features(tested, 0) if tested else clean[:0]),
        validation_answers=tested_answers,
        validation_sets=sets,
        class_weights=config.class_weights,
    )
    del clean
    outcomes = compete(data, reduction, {s: fleet.candidates(s) for s in skills}, config, context=context)
    for skill, outcome in outcomes.items():
        (folder / skill).mkdir()
        for name, entry in outcome.entries.items():
            Head(
                kind=name,
                labels=vocabulary[skill],
                arrays=entry.candidate.arrays,
                backbone_digest=embed.report["backbone_digest"],
                parameters=entry.candidate.parameters,
            ).save(folder / skill / f"{name}.safetensors")
    weights = {}
    for column, (skill, names) in enumerate(vocabulary.items()):
        known = answers[answers[:, column] != UNLABELLED, column]
        weights[skill] = dict(zip(names, label_weights(known, len(names), config.class_weights).tolist(), strict=True))
    return outcomes, weights, reduction.explained


def _counts(labels: "pd.DataFrame", skill: str) -> dict[str, int]:
    rows = labels[labels["skill"] == skill]
    return {split: int((rows["split"] == split).sum()) for split in SPLITS}


def _reason_to_drop(
    verdict: Mapping[str, Any] | None, vocabulary: Sequence[str], labels: "pd.DataFrame", skill: str
) -> str:
    """Why a skill cannot be trained, and what to do; empty when it can."""
    if verdict is not None and not verdict["passed"]:
        failures = "; ".join(finding["message"] for finding in verdict["failures"]) or "see its page"
        return f"it did not pass validate: {failures}"
    rows = labels[(labels["skill"] == skill) & (labels["split"] == "train")]
    missing = sorted(set(vocabulary) - set(rows["label"].unique()), key=list(vocabulary).index)
    if missing:
        names = ", ".join(repr(label) for label in missing)
        return f"no training photo carries {names}. Label photos of it, or take it out of the skill's labels"
    return ""


def _skill_report(
    skill: str,
    fleet: Fleet,
    photos: Mapping[str, int],
    reason: str,
    weights: Mapping[str, Mapping[str, float]],
    outcomes: "Mapping[str, Outcome]",
) -> SkillReport:
    from components.train.selection import COMPLEXITY

    outcome = outcomes.get(skill)
    return SkillReport(
        status="trained" if outcome else "dropped",
        reason=reason,
        labels=tuple(fleet.skill(skill).labels),
        photos=photos,
        class_weights=weights.get(skill, {}),
        candidates={
            name: CandidateReport(
                validation_balanced_accuracy=entry.score.balanced_accuracy,
                standard_error=entry.score.standard_error,
                complexity=COMPLEXITY.index(name),
                parameters=entry.candidate.parameters,
                tried=entry.candidate.tried,
                seconds=entry.seconds,
            )
            for name, entry in (outcome.entries.items() if outcome else ())
        },
        winner=outcome.winner if outcome else None,
        why=outcome.why if outcome else "",
    )
