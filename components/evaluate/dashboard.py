"""What the pipelines' dashboard shows of evaluate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from coachworks.errors import NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.results import Result
from components.dashboard import Artifact, entitle, show_numbers, show_page, skills_of
from components.evaluate.matrices import render, worst_first


class Matrix(Artifact, Protocol):
    """KFP's artifact for a confusion matrix."""

    def log_confusion_matrix(self, categories: list[str], matrix: list[list[int]]) -> None:
        """Show photos by true label (rows) and answer (columns)."""


def show(fleet: str, result: Result, metrics: Artifact, page: Artifact, confusion: Matrix) -> None:
    """Hand a lane's numbers, all its confusion matrices and, by KFP's own means, the worst skill's to the dashboard.

    Args:
        fleet: The fleet, as JSON.
        result: What evaluate made.
        metrics: Takes the numbers.
        page: Takes the page with the matrices of all skills.
        confusion: Takes the matrix of the skill with the lowest balanced accuracy; stays empty where none was judged.
    """
    located = Fleet.from_json(fleet)
    skills: dict[str, Any] = result.report["skills"]
    show_numbers(result, metrics)
    show_page(matrices_page(located, [result]), page, f"Confusion matrices: {skills_of(result)}")
    worst = next(iter(worst_first(skills)), None)
    if worst is None:
        entitle(confusion, "No skill of the lane was judged")
        return
    judged = skills[worst]
    entitle(
        confusion, f"Worst skill of the lane: {worst}, balanced accuracy {judged['balanced_accuracy']['value']:.3f}"
    )
    confusion.log_confusion_matrix(list(judged["labels"]), [list(row) for row in judged["confusion"]])


def matrices_page(fleet: Fleet, lanes: Sequence[Result]) -> str:
    """One page with the confusion matrices of all skills of some lanes, the worst first.

    Args:
        fleet: The fleet.
        lanes: What evaluate made of each lane, at least one.
    """
    home = {name: lane for lane in lanes for name in lane.report["skills"]}

    def sheet(skill: str) -> Path | None:
        try:
            return home[skill].file(f"{skill}/mistakes.jpg")
        except NotFoundError:
            return None

    return render(
        {name: lane.report["skills"][name] for name, lane in home.items()},
        fleet=fleet.name,
        confidence=float(lanes[0].inputs["confidence"]),
        sheet=sheet,
        places=[f"{lane.place}/page.html" for lane in lanes],
    )
