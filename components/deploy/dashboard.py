"""Page of deploy in the dashboard of the pipelines: deployed versions, and stages of the rollout."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from coachworks.results import Result
from components.dashboard import Artifact, entitle, show_numbers

_TITLES = {
    "deployed": "Deployed",
    "unchanged": "Nothing to deploy: the release is up to date",
    "awaiting-approval": "Awaiting approval",
}


def show(result: Result, metrics: Artifact, page: Artifact) -> None:
    """Hand the numbers and the page of a deployment to the dashboard."""
    show_numbers(result, metrics)
    entitle(page, f"Release {result.report['release']}")
    Path(page.path).write_text("\n\n".join(_sections(result.report)) + "\n", "utf-8")


def _sections(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {_TITLES[report['status']]}"
    for skill, reason in report["awaiting"].items():
        yield f"* **{skill}**: {reason}"
    if report["skills"]:
        yield (
            f"Helm release `{report['release']}` in the namespace `{report['namespace']}`, "
            f"revision {report['revision']} ({report['release_digest']})."
        )
        rows = ["| Skill | Version | Before | Pods | Service |", "| --- | --- | --- | --- | --- |"]
        rows += [
            f"| {name} | {skill['version']} | {skill['before'] or '–'} | {skill['layout']} | "
            f"{skill['service']}:{skill['port']} |"
            for name, skill in report["skills"].items()
        ]
        yield "\n".join(rows)
    if report["soak_summary"]:
        yield f"During the soak {report['soak_summary']}."
    if report["stages"]:
        rows = ["| Stage | Revision | Seconds |", "| --- | --- | --- |"]
        rows += [
            f"| {stage['name']} | {stage['revision'] or '–'} | {stage['seconds']:.1f} |" for stage in report["stages"]
        ]
        yield "\n".join(rows)
    if report["left_out"]:
        yield "## Left out"
        yield "\n".join(f"* {name}: {reason}" for name, reason in report["left_out"].items())
