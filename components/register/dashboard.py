"""What the pipelines' dashboard shows of register: where the lane's skills stand, and the way to them in MLflow."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from coachworks.fleet.model import Fleet
from coachworks.results import Result
from coachworks.tracking import (
    Tracking,
    comparison_page,
    experiment_page,
    model_page,
    run_page,
    tracking_of,
    version_page,
)
from components.dashboard import Artifact, entitle, show_numbers, subject

Report = Mapping[str, Any]


def show(fleet: str, result: Result, metrics: Artifact, links: Artifact) -> None:
    """Hand a lane's numbers and the table of its skills, with links to MLflow, to the dashboard.

    Args:
        fleet: The fleet, as JSON.
        result: What register made.
        metrics: Takes the numbers.
        links: Takes the table.
    """
    show_numbers(result, metrics)
    entitle(links, f"MLflow, {subject(result)}")
    Path(links.path).write_text(table(result.report["skills"], tracking_of(Fleet.from_json(fleet))), "utf-8")


def table(skills: Mapping[str, Report], tracking: Tracking) -> str:
    """The lane's skills, as Markdown."""
    served_by_server = tracking.database is None
    columns = ["Skill", "Status", "Version", "Served", *(["In MLflow"] if served_by_server else []), "Why"]
    rows = [columns, ["---"] * len(columns)]
    for name, skill in skills.items():
        row = [name, skill["status"], skill["version"] or "–", skill["champion_version"] or "–"]
        if served_by_server:
            pages = _pages(skill)
            row.append(", ".join(f"[{text}]({tracking.public}{page})" for text, page in pages) or "–")
        rows.append([*row, " ".join(skill["reason"].replace("|", "\\|").split())])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not served_by_server:
        lines += ["", "Runs and models are recorded beside the store's objects: `coachworks mlflow` shows them."]
    return "\n".join(lines) + "\n"


def _pages(skill: Report) -> Iterator[tuple[str, str]]:
    """Text and page of MLflow, relative to the server's address, of all that a skill has there."""
    experiment, run, other = skill["experiment_id"], skill["run_id"], skill["compared_run_id"]
    if skill["champion_version"]:
        yield "model", model_page(skill["model"])
    if skill["version"]:
        yield f"version {skill['version']}", version_page(skill["model"], skill["version"])
    if experiment:
        yield "all runs", experiment_page(experiment)
    if experiment and run:
        yield "this run", run_page(experiment, run)
    if experiment and run and other and other != run:
        yield "compared with", comparison_page(experiment, [run, other])
