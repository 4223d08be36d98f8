"""The figures of register in the dashboard of Kubeflow Pipelines, and links to the lane's skills in MLflow."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from coachworks.markdown_text import markdown
from coachworks.result import Result
from coachworks.task import Task
from coachworks.tracking import (
    Tracking,
    comparison_page,
    experiment_page,
    model_page,
    run_page,
    version_page,
)
from components.dashboard import Artifact, Figures, count_statuses, entitle, show_numbers, subject
from components.register.report import RegisterReport, Registration


def numbers(report: RegisterReport) -> Figures:
    """Yield the figures of a report by name."""
    yield from count_statuses(report.skills, "champion", "challenger", "unchanged", "not-registered")
    for name, skill in report.skills.items():
        if skill.champion_version is not None:
            yield f"champion version: {name}", float(skill.champion_version)


def show(task: Task, metrics: Artifact, links: Artifact) -> None:
    """Show a lane's figures and the table of its skills, with links to MLflow.

    Args:
        task: The task of register.
        metrics: Receives the figures.
        links: Receives the table.
    """
    result: Result[RegisterReport] = task.result
    show_numbers(result, numbers, metrics)
    entitle(links, f"MLflow, {subject(result)}")
    Path(links.path).write_text(table(result.report.skills, task.context.tracking), "utf-8")


def table(skills: Mapping[str, Registration], tracking: Tracking) -> str:
    """Render the table of a lane's skills as Markdown."""
    columns = ["Skill", "Status", "Version", "Champion", *(["In MLflow"] if tracking.shared else []), "Why"]
    rows = [columns, ["---"] * len(columns)]
    for name, skill in skills.items():
        row = [name, skill.status, skill.version or "–", skill.champion_version or "–"]
        if tracking.shared:
            row.append(", ".join(tracking.link(text, page) for text, page in _pages(skill)) or "–")
        rows.append([*row, markdown(skill.reason)])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if tracking.way_in:
        lines += ["", tracking.way_in]
    return "\n".join(lines) + "\n"


def _pages(skill: Registration) -> Iterator[tuple[str, str]]:
    """Yield text and address of a skill's pages in MLflow, relative to the server's address."""
    experiment, run, other = skill.experiment_id, skill.run_id, skill.compared_run_id
    if skill.champion_version:
        yield "model", model_page(skill.model)
    if skill.version:
        yield f"version {skill.version}", version_page(skill.model, skill.version)
    if experiment:
        yield "all runs", experiment_page(experiment)
    if experiment and run:
        yield "this run", run_page(experiment, run)
    if experiment and run and other and other != run:
        yield "compared with", comparison_page(experiment, [run, other])
