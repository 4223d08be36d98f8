"""The figures and pages of evaluate in the dashboard of Kubeflow Pipelines."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from coachworks.errors import NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.results import jsonable
from coachworks.task import Task
from components.dashboard import Artifact, Figures, count_statuses, entitle, show_numbers, show_page, skills_of
from components.evaluate.matrices import render, worst_first
from components.evaluate.report import EvaluateReport


class Matrix(Artifact, Protocol):
    """KFP's artifact for a confusion matrix."""

    def log_confusion_matrix(self, categories: list[str], matrix: list[list[int]]) -> None:
        """Show photos by true label (rows) and answer (columns)."""


def numbers(report: EvaluateReport) -> Figures:
    """Yield the figures of a report by name."""
    yield from count_statuses(report.skills, "passed", "failed", "dropped")
    for name, skill in report.skills.items():
        if skill.balanced_accuracy is not None:
            yield f"balanced accuracy: {name}", skill.balanced_accuracy.value
            yield f"calibration error: {name}", skill.ece_after
            yield f"mistakes: {name}", skill.sensible_mistakes + skill.silly_mistakes
            yield f"test photos: {name}", skill.photos


def show(task: Task, metrics: Artifact, page: Artifact, confusion: Matrix) -> None:
    """Show a lane's figures, the confusion matrices of all its skills, and that of the worst skill as KFP draws it.

    Args:
        task: The task of evaluate.
        metrics: Receives the figures.
        page: Receives the page with the matrices of all skills.
        confusion: Receives the matrix of the skill with the lowest balanced accuracy; empty if no skill was judged.
    """
    result: Result[EvaluateReport] = task.result
    skills: Mapping[str, Any] = jsonable(result.report.skills)
    show_numbers(result, numbers, metrics)
    show_page(matrices_page(task.fleet, [result]), page, f"Confusion matrices: {skills_of(result)}")
    worst = next(iter(worst_first(skills)), None)
    if worst is None:
        entitle(confusion, "No skill of the lane was judged")
        return
    judged = skills[worst]
    entitle(
        confusion, f"Worst skill of the lane: {worst}, balanced accuracy {judged['balanced_accuracy']['value']:.3f}"
    )
    confusion.log_confusion_matrix(list(judged["labels"]), [list(row) for row in judged["confusion"]])


def matrices_page(fleet: Fleet, lanes: Sequence[Result[EvaluateReport]]) -> str:
    """Render one page with the confusion matrices of all skills of some lanes, the worst first.

    Args:
        fleet: The fleet.
        lanes: The result of each lane, at least one.
    """
    home = {name: lane for lane in lanes for name in lane.report.skills}

    def sheet(skill: str) -> Path | None:
        try:
            return home[skill].file(f"{skill}/mistakes.jpg")
        except NotFoundError:
            return None

    return render(
        {name: jsonable(lane.report.skills[name]) for name, lane in home.items()},
        fleet=fleet.name,
        confidence=float(lanes[0].inputs["confidence"]),
        sheet=sheet,
        places=[f"{lane.place}/page.html" for lane in lanes],
    )
