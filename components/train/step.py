"""The step train as a library function: from features and labels to heads and a report."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
from components.train.report import SkillReport, TrainReport
from components.validate.report import ValidateReport
from validation import Verdict

if TYPE_CHECKING:
    import pandas as pd


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


def _build(
    store: Store,
    fleet: Fleet,
    embed: Result[EmbedReport],
    lane: list[str],
    config: TrainConfig,
    progress: Progress,
    folder: Path,
) -> TrainReport:
    from components.train.lane_training import train_lane
    from components.train.skill_reports import trained_report
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
    result = train_lane(fleet, embed, labels, trained, config, progress, folder) if trained else None
    return TrainReport(
        skills={
            skill: trained_report(skill, fleet.skill(skill).labels, counts[skill], result)
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
