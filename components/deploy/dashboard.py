"""The figures and the page of a deployment in the dashboard of Kubeflow Pipelines."""

from collections.abc import Iterator
from pathlib import Path

from coachworks.markdown_text import markdown
from coachworks.result import Result
from coachworks.task import Task
from components.dashboard import Artifact, Figures, entitle, show_numbers
from components.deploy.report import DeployReport

_TITLES = {
    "deployed": "Deployed",
    "unchanged": "Nothing to deploy: the release is up to date",
    "awaiting-approval": "Awaiting approval",
    "refused": "Refused: something would not be answered any more",
}


def numbers(report: DeployReport) -> Figures:
    """Yield the figures of a report by name."""
    yield "revision", report.revision
    yield "skills: released", len(report.skills)
    yield "skills: new versions", sum(skill.version != skill.before for skill in report.skills.values())
    yield "skills: awaiting approval", len(report.awaiting)
    yield "skills: removal refused", len(report.refused)
    yield "skills: left out", len(report.left_out)
    yield "smoke test: answers compared", report.smoke
    for stage in report.stages:
        yield f"seconds: {stage.name}", stage.seconds
    for row in report.soak:
        yield f"soak: requests, {row.track}", row.requests
        yield f"soak: errors, {row.track}", row.errors


def show(task: Task, metrics: Artifact, page: Artifact) -> None:
    """Show the figures and the page of a deployment."""
    result: Result[DeployReport] = task.result
    show_numbers(result, numbers, metrics)
    entitle(page, f"Release {result.report.release}")
    Path(page.path).write_text("\n\n".join(_sections(result.report)) + "\n", "utf-8")


def _sections(report: DeployReport) -> Iterator[str]:
    yield f"# {_TITLES[report.status]}"
    for reason in report.refused.values():
        yield f"* {markdown(reason)}"
    for skill, reason in report.awaiting.items():
        yield f"* **{skill}**: {markdown(reason)}"
    if report.skills:
        yield (
            f"Helm release `{report.release}` in the namespace `{report.namespace}`, revision {report.revision} "
            f"({report.release_digest})."
        )
        rows = ["| Skill | Version | Before | Pods | Service |", "| --- | --- | --- | --- | --- |"]
        rows += [
            f"| {name} | {skill.version} | {skill.before or '–'} | {skill.layout} | {skill.service}:{skill.port} |"
            for name, skill in report.skills.items()
        ]
        yield "\n".join(rows)
    if report.soak_summary:
        yield f"During the soak {report.soak_summary}."
    if report.stages:
        rows = ["| Stage | Revision | Seconds |", "| --- | --- | --- |"]
        rows += [f"| {stage.name} | {stage.revision or '–'} | {stage.seconds:.1f} |" for stage in report.stages]
        yield "\n".join(rows)
    if report.left_out:
        yield "## Left out"
        yield "\n".join(f"* {name}: {markdown(reason)}" for name, reason in report.left_out.items())
