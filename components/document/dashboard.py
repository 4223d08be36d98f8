"""Artifacts of document for the Kubeflow dashboard: the table of all skills, with links to all results."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from coachworks.fleet.model import Fleet
from coachworks.results import Result, ancestor, load
from coachworks.store import Store
from coachworks.tracking import experiment_page, model_page, tracking_of, version_page
from components.dashboard import Artifact, entitle, show_numbers, show_page
from components.evaluate.dashboard import matrices_page

Report = Mapping[str, Any]


def show(fleet: str, result: Result, metrics: Artifact, summary: Artifact, matrices: Artifact) -> None:
    """Write the metrics, the fleet's summary and all confusion matrices for the dashboard.

    Args:
        fleet: The fleet, as JSON.
        result: Result of document.
        metrics: Receives the metrics.
        summary: Receives the summary: the table, links to MLflow, addresses of documents and pages.
        matrices: Receives the confusion matrices of all lanes; of a loop, the dashboard shows one lane's artifacts.
    """
    located = Fleet.from_json(fleet)
    store = result.store
    table = result.file(result.report["summary"]).read_text("utf-8").strip()
    package = ancestor(store, result, "package")
    registered = [load(store, "register", key) for key in package.inputs["register"]]
    evaluated = [ancestor(store, lane, "evaluate") for lane in registered]
    show_numbers(result, metrics)
    sections = [table, *_recorded(located, registered), *_places(store, result, package, evaluated)]
    entitle(summary, f"Summary of {located.name}")
    Path(summary.path).write_text(_spaced("\n\n".join(sections)) + "\n", "utf-8")
    show_page(matrices_page(located, evaluated), matrices, f"Confusion matrices of {located.name}, all lanes")


def _spaced(markdown: str) -> str:
    """Add space between the cells of tables, which the dashboard renders without a gap."""
    return "\n".join(
        line.replace(" | ", "&nbsp;&nbsp; | ") if line.startswith("| ") and not line.startswith("| ---") else line
        for line in markdown.splitlines()
    )


def _recorded(fleet: Fleet, registered: Sequence[Result]) -> Iterator[str]:
    """Yield the part with links to MLflow."""
    yield "## In MLflow"
    tracking = tracking_of(fleet)
    if tracking.database is not None:
        yield "Runs and models are recorded in the store: `coachworks mlflow` shows them."
        return
    rows = ["| Skill | Model | Runs | Champion | Last result |", "| --- | --- | --- | --- | --- |"]
    skills: dict[str, Report] = {
        name: skill for result in registered for name, skill in result.report["skills"].items()
    }
    for name in (name for name in fleet.spec.skills if name in skills):
        skill = skills[name]
        version, experiment = skill["champion_version"], skill["experiment_id"]
        model = f"[{skill['model']}]({tracking.public}{model_page(skill['model'])})" if version else "–"
        runs = f"[all runs]({tracking.public}{experiment_page(experiment)})" if experiment else "–"
        champion = f"[version {version}]({tracking.public}{version_page(skill['model'], version)})" if version else "–"
        rows.append(f"| {name} | {model} | {runs} | {champion} | {skill['status']} |")
    yield "\n".join(rows)


def _places(store: Store, result: Result, package: Result, evaluated: Sequence[Result]) -> Iterator[str]:
    """Yield the part with the addresses of documents and pages in the store."""
    validate, augment = (ancestor(store, result, step) for step in ("validate", "augment"))
    files = [
        ("Documents, HTML and PDF", result, "index.html"),
        ("Validation", validate, "page.html"),
        ("Contact sheet", augment, "contact-sheet.html"),
        *(("Evaluation", lane, "page.html") for lane in evaluated),
    ]
    yield "## In the store"
    yield "\n".join(f"* {name}: `{source.place}/{file}`" for name, source, file in files)
    if package.report["bento"]:
        yield f"The bento is `{package.report['bento']}`."
