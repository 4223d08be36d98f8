"""The figures of document in the dashboard of Kubeflow Pipelines, the table of all skills, and links to the rest."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.results import ancestor, load
from coachworks.store import Store
from coachworks.task import Task
from coachworks.tracking import Tracking, experiment_page, model_page, version_page
from components.dashboard import Artifact, Figures, entitle, show_numbers, show_page
from components.document.report import DocumentReport
from components.evaluate.dashboard import matrices_page
from components.evaluate.report import EvaluateReport
from components.package.report import PackageReport
from components.register.report import RegisterReport


def numbers(report: DocumentReport) -> Figures:
    """Yield the figures of a report by name."""
    yield "documents", len(report.documents)
    for status, count in Counter(report.statuses.values()).items():
        yield f"skills: {status}", count


def show(task: Task, metrics: Artifact, summary: Artifact, matrices: Artifact) -> None:
    """Show the figures of the documents, the fleet's summary and all its confusion matrices.

    Args:
        task: The task of document.
        metrics: Receives the figures.
        summary: Receives the summary: the table, links to MLflow, addresses of documents and pages.
        matrices: Receives the confusion matrices of all lanes: the dashboard shows a loop's artifacts of one lane only.
    """
    result: Result[DocumentReport] = task.result
    located, store = task.fleet, task.context.store
    table = result.file(result.report.summary).read_text("utf-8").strip()
    package = ancestor(store, result, PackageReport)
    registered = [load(store, RegisterReport, key) for key in package.inputs["register"]]
    evaluated = [ancestor(store, lane, EvaluateReport) for lane in registered]
    show_numbers(result, numbers, metrics)
    recorded = _recorded(located, registered, task.context.tracking)
    sections = [table, *recorded, *_places(store, result, package, evaluated)]
    entitle(summary, f"Summary of {located.name}")
    Path(summary.path).write_text(_spaced("\n\n".join(sections)) + "\n", "utf-8")
    show_page(matrices_page(located, evaluated), matrices, f"Confusion matrices of {located.name}, all lanes")


def _spaced(markdown: str) -> str:
    """Return Markdown with space between the cells of tables: the dashboard sets them without a gap."""
    return "\n".join(
        line.replace(" | ", "&nbsp;&nbsp; | ") if line.startswith("| ") and not line.startswith("| ---") else line
        for line in markdown.splitlines()
    )


def _recorded(fleet: Fleet, registered: Sequence[Result[RegisterReport]], tracking: Tracking) -> Iterator[str]:
    """Yield the section about the skills in MLflow."""
    yield "## In MLflow"
    if tracking.database is not None:
        yield tracking.way_in
        return
    rows = ["| Skill | Model | Runs | Champion | Last result |", "| --- | --- | --- | --- | --- |"]
    skills = {name: skill for result in registered for name, skill in result.report.skills.items()}
    for name in (name for name in fleet.spec.skills if name in skills):
        skill = skills[name]
        version, experiment = skill.champion_version, skill.experiment_id
        model = tracking.link(skill.model, model_page(skill.model)) if version else "–"
        runs = tracking.link("all runs", experiment_page(experiment)) if experiment else "–"
        champion = tracking.link(f"version {version}", version_page(skill.model, version)) if version else "–"
        rows.append(f"| {name} | {model} | {runs} | {champion} | {skill.status} |")
    yield "\n".join(rows)
    if tracking.way_in:
        yield tracking.way_in


def _places(
    store: Store, result: Result[DocumentReport], package: Result[PackageReport], evaluated: Sequence[Result[Any]]
) -> Iterator[str]:
    """Yield the section about the documents and pages in the store."""
    validate, augment = (ancestor(store, result, step) for step in ("validate", "augment"))
    files = [
        ("Documents, HTML and PDF", result, "index.html"),
        ("Validation", validate, "page.html"),
        ("Contact sheet", augment, "contact-sheet.html"),
        *(("Evaluation", lane, "page.html") for lane in evaluated),
    ]
    yield "## In the store"
    yield "\n".join(f"* {name}: `{source.place}/{file}`" for name, source, file in files)
    yield (
        "`coachworks show document` opens them; likewise `validation`, `contact-sheet`, `evaluation` and "
        "`suspicious-labels`."
    )
    if package.report.bento:
        yield f"The bento is `{package.report.bento}`."
