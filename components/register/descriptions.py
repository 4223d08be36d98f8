"""Markdown descriptions of experiments, runs, models and versions, which MLflow shows beside them."""

import math

from coachworks.bootstrap import UNKNOWN
from coachworks.markdown_text import markdown
from coachworks.models.comparison import Comparison
from coachworks.tracking import experiment_page
from components.evaluate.report import SkillReport
from components.register.lineage import SkillRecord


def describe_experiment(record: SkillRecord, experiment_id: str) -> str:
    """Describe the skill and the list of its runs.

    The first line is visible everywhere, so it leads to the runs: MLflow 3.17 takes the kind of an experiment from a
    switch in the browser, which is set to GenAI at first, and not from the experiment's tag.
    """
    reading = (
        "Each run of the pipeline is one run here; unfold it to see the candidates that competed, the losers too. "
        "Tick candidates and press *Compare*: `validation/balanced_accuracy` chose the winner. "
        "Tick runs to see how the skill changed over time: `test/balanced_accuracy` was measured on photos that no "
        "candidate saw."
    )
    # relative to the page, because people may reach the server at several addresses
    runs = f"[Runs with accuracy, candidate, gate and model]({experiment_page(experiment_id).removeprefix('/')})"
    question, *rest = _purpose(record)
    return "\n\n".join([f"{question} {runs}", *rest, reading])


def describe_run(record: SkillRecord) -> str:
    """Describe the winner: its metrics, why it won, the gates."""
    evaluated, trained = record.evaluated, record.trained
    rows = [
        f"| {name} | {_percent(measured.value)} | {_percent(measured.low)} – {_percent(measured.high)} |"
        for name, measured in (
            ("balanced accuracy", evaluated.balanced_accuracy or UNKNOWN),
            ("macro F1", evaluated.macro_f1 or UNKNOWN),
            ("accuracy", evaluated.accuracy or UNKNOWN),
        )
    ]
    gates = [
        f"* {'passed' if gate.passed else '**failed**'}: {gate.gate} {_number(gate.value)}, limit {_number(gate.limit)}"
        for gate in evaluated.gates
    ]
    calibration = (
        f"Expected calibration error {_percent(evaluated.ece_before)} before, "
        f"{_percent(evaluated.ece_after)} after temperature scaling ({_number(evaluated.temperature)})."
    )
    if trained.calibration and trained.calibration.method == "vector":
        calibration = f"Expected calibration error {_percent(evaluated.ece_after)} with vector scaling."
    if trained.calibration:
        calibration += f" Chosen: {trained.calibration.why}."
    mistakes = f"{_number(evaluated.sensible_mistakes)} sensible, {_number(evaluated.silly_mistakes)} silly."
    return "\n".join(
        [
            f"**{evaluated.winner}** won among {len(trained.candidates)} candidates: {trained.why}",
            "",
            *([f"Features: {trained.why_features}.", ""] if trained.why_features else []),
            *([f"Imbalance: {trained.imbalance.why}.", ""] if trained.imbalance else []),
            f"| test, {evaluated.photos} photos in {evaluated.sets} sets | value | 95 % interval |",
            "|---|---|---|",
            *rows,
            "",
            *(gates or ["* no gates are set"]),
            "",
            calibration,
            f"Mistakes: {mistakes}",
            "",
            "Under *Artifacts*: pictures in `pictures/`, the whole page in `report/`, the augmentation in `training/`.",
            *(f"\n{link}" for link in _pipeline_link(record)),
        ]
    )


def describe_candidate(record: SkillRecord, candidate: str) -> str:
    """Describe a candidate by its validation metrics."""
    trained = record.trained.candidates[candidate]
    won = candidate == record.trained.winner
    return (
        f"**{candidate}**{' — the winner' if won else ''}: balanced accuracy "
        f"{_percent(trained.validation_balanced_accuracy)} ± {_percent(trained.standard_error)} on validation. "
        + (record.trained.why if won else f"The winner is {record.trained.winner}.")
    )


def describe_model(record: SkillRecord) -> str:
    """Describe what a registered model answers, and its aliases."""
    aliases = (
        "The next package contains the version `champion`. `challenger` was compared with it on the same test photos "
        "and was not better. To go back, move the alias `champion` to an earlier version and run again."
    )
    return "\n\n".join([*_purpose(record), aliases])


def describe_version(record: SkillRecord, comparison: Comparison | None, note: str) -> str:
    """Describe a version: its metrics and the reason for its alias."""
    evaluated = record.evaluated
    measured = evaluated.balanced_accuracy or UNKNOWN
    accuracy = (
        f"A **{evaluated.winner}** head: balanced accuracy {_percent(measured.value)} "
        f"({_percent(measured.low)} – {_percent(measured.high)}) on {evaluated.photos} test photos."
    )
    compared = [f"Compared: {comparison.sentence()}; {comparison.basis}."] if comparison else []
    photos = record.trained.winner_photos or record.trained.photos.get("train", 0)
    backbone = record.backbone.backbone
    training = f"Trained on {photos} photos, features of {backbone}."
    return "\n\n".join([accuracy, note, *compared, training, *_pipeline_link(record)])


def _pipeline_link(record: SkillRecord) -> list[str]:
    page = record.lineage.pipeline_page
    if page:
        return [f"Created by [this run of the pipeline]({page})."]
    return [f"Created by the pipeline run `{record.lineage.run}`."] if record.lineage.runs_on_cluster else []


def _purpose(record: SkillRecord) -> list[str]:
    skill = record.skill
    critical = ["**Critical**: every warning is a failure."] if skill.tier == "critical" else []
    labels = ", ".join(map(markdown, skill.labels))
    return [f"**{markdown(skill.question or record.name)}**", f"Answers: {labels}.", *critical]


def why_not_registered(evaluated: SkillReport) -> str:
    """Explain why an evaluated skill is not registered."""
    failed = [
        f"{gate.gate} is {_number(gate.value)}, limit {_number(gate.limit)}"
        for gate in evaluated.gates
        if not gate.passed
    ]
    return evaluated.reason or ("failed its gates: " + "; ".join(failed))


def _percent(value: float | None) -> str:
    return "not measured" if value is None or math.isnan(value) else f"{value:.1%}"


def _number(value: float | None) -> str:
    return (
        "not measured"
        if value is None or math.isnan(value)
        else f"{value:.3g}"
        if isinstance(value, float)
        else str(value)
    )
