"""The figures and the page of validate in the dashboard of Kubeflow Pipelines."""

from collections import Counter

from coachworks.result import Result
from coachworks.task import Task
from components.dashboard import Artifact, Figures, show_numbers, show_page
from components.validate.report import ValidateReport
from validation.findings import Severity


def numbers(report: ValidateReport) -> Figures:
    """Yield the figures of a report by name."""
    verdicts = report.skills.values()
    yield "photos", report.photos
    yield "photos: pairs of near duplicates", report.near_duplicates
    yield "skills: may train", sum(verdict.passed for verdict in verdicts)
    yield "skills: stopped", sum(not verdict.passed for verdict in verdicts)
    severities = Counter(finding.severity for finding in report.findings)
    for severity in Severity:
        yield f"findings: {severity}", severities[severity]
    yield "expectations", report.expectations


def show(task: Task, metrics: Artifact, page: Artifact) -> None:
    """Show the figures and the validation page."""
    result: Result[ValidateReport] = task.result
    show_numbers(result, numbers, metrics)
    show_page(result.file("page.html").read_text("utf-8"), page, "Validation of photos and labels")
