"""The figures and the page of augment in the dashboard of Kubeflow Pipelines."""

from coachworks.result import Result
from coachworks.task import Task
from components.augment.report import AugmentReport
from components.dashboard import Artifact, Figures, show_numbers, show_page


def numbers(report: AugmentReport) -> Figures:
    """Yield the figures of a report by name."""
    yield "views per training photo", report.views
    yield "transforms", len(report.transforms)
    yield "photos shown", report.photos_shown


def show(task: Task, metrics: Artifact, page: Artifact) -> None:
    """Show the figures and the contact sheet."""
    result: Result[AugmentReport] = task.result
    show_numbers(result, numbers, metrics)
    show_page(result.file("contact-sheet.html").read_text("utf-8"), page, "Contact sheet of augmented views")
