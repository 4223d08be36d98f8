"""The step train as a library function: from features and labels to heads and a report."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coachworks.code_digest import code_digest
from coachworks.context import Context, open_context
from coachworks.fleet.model import Fleet
from coachworks.progress import Progress
from coachworks.result import Result
from coachworks.results import ancestor, load, produce, published, reuse
from coachworks.store import Store
from coachworks.tables import SPLITS
from components.augment.report import AugmentReport
from components.embed.report import EmbedReport
from components.train.config import TrainConfig
from components.train.earlier import Earlier, choices_of, earlier_training, keep_links, training_of
from components.train.report import SkillReport, TrainReport
from components.train.selection import FINE_TUNE
from components.validate.report import ValidateReport
from validation import Verdict

if TYPE_CHECKING:
    import pandas as pd

    from components.train.fine_tune.checkpoint import Checkpoint


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
        `<skill>/<candidate>.safetensors` for every candidate trained, `<skill>/suspicious-labels.csv` and its page
        `.html` where labels could be judged, and a `TrainReport`. The winner's file holds the
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
    inputs: dict[str, Any] = {
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

    limits = {skill: fleet.enough_without_tuning(skill) for skill in lane if FINE_TUNE in fleet.candidates(skill)}
    if any(limit is not None for limit in limits.values()):
        inputs["enough_without_tuning"] = limits

    code = code_digest(__name__)
    if (done := published(TrainReport, inputs, context=context, code=code)) is not None:
        return done
    embedded = load(store, EmbedReport, embed)
    labels = _labels(store, fleet, embedded, lane)
    links = {skill: choices_of(fleet, embedded, skill, settings, code) for skill in lane}
    fresh = TrainReport.STEP in context.refresh
    if not fresh and (same := training_of(store, links, inputs)) is not None:
        return reuse(same, context=context)
    earlier = {} if fresh else earlier_training(store, fleet, labels, links)
    if earlier:
        inputs["continues"] = {skill: then.result.key for skill, then in earlier.items()}

    checkpoints: list[Checkpoint] = []

    def build(folder: Path) -> TrainReport:
        return _build(fleet, embedded, labels, lane, earlier, settings, context.progress, folder, checkpoints)

    result = produce(TrainReport, inputs, build, context=context, code=code)
    if not result.reused:
        records = result.report.skills
        competed = [s for s in lane if records[s].status == "trained" and not records[s].continues]
        keep_links(store, {skill: links[skill] for skill in competed}, result.key)
    for checkpoint in checkpoints:
        checkpoint.remove()
    return result


def _labels(store: Store, fleet: Fleet, embed: Result[EmbedReport], lane: Sequence[str]) -> "pd.DataFrame":
    from components.validate.admitted import admitted

    labels = admitted(store, ancestor(store, embed, ValidateReport), fleet)
    return labels[labels["skill"].isin(lane)]


def _build(
    fleet: Fleet,
    embed: Result[EmbedReport],
    labels: "pd.DataFrame",
    lane: list[str],
    earlier: Mapping[str, Earlier],
    config: TrainConfig,
    progress: Progress,
    folder: Path,
    checkpoints: "list[Checkpoint]",
) -> TrainReport:
    from components.train.continuing import continue_lane
    from components.train.lane_training import train_lane
    from components.train.skill_reports import trained_report

    judged = ancestor(embed.store, embed, ValidateReport).report.skills
    counts = {skill: _counts(labels, skill) for skill in lane}
    vocabulary = {skill: fleet.skill(skill).labels for skill in lane}
    reasons = {skill: _reason_to_drop(judged.get(skill), vocabulary[skill], labels, skill) for skill in lane}
    reports = {
        skill: SkillReport(
            status="dropped",
            reason=reason,
            labels=tuple(vocabulary[skill]),
            photos=counts[skill],
            class_weights={},
            candidates={},
        )
        for skill, reason in reasons.items()
        if reason
    }
    for skill in reports:
        progress.note(f"{skill} is left out: {reasons[skill]}")
    continued = {skill: then for skill, then in earlier.items() if skill not in reports}
    if continued:
        kept = continue_lane(fleet, embed, labels, continued, config, progress, folder)
        reports |= {skill: replace(report, photos=counts[skill]) for skill, report in kept.items()}
    anew = [skill for skill in lane if skill not in reports]
    result = train_lane(fleet, embed, labels, anew, config, progress, folder, checkpoints) if anew else None
    if result:
        reports |= {skill: trained_report(skill, vocabulary[skill], counts[skill], result) for skill in anew}
    explained = [
        *(result.explained.values() if result else ()),
        *(earlier[skill].result.report.explained_variance for skill in lane if reports[skill].continues),
    ]
    return TrainReport(
        skills={skill: reports[skill] for skill in lane},
        backbone_digest=embed.report.backbone_digest,
        policy_digest=ancestor(embed.store, embed, AugmentReport).report.policy_digest,
        class_weights=config.class_weights,
        explained_variance=min((share for share in explained if share is not None), default=None),
    )


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
