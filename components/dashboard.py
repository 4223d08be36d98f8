"""The figures and artifacts that steps show in the dashboard of Kubeflow Pipelines, under names for people.

The figures of a step are in its own `dashboard.py`. The dashboard sorts them by name, so names of figures that belong
together begin with the same word.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from coachworks.result import Result
from coachworks.steps import find_step

DISPLAY_NAME = "display_name"  # metadata key that KFP's dashboard reads
_DIGITS = 6  # the dashboard does not round
_NAMED = 3  # skills of a lane that its title names
# The dashboard shows pages in a frame without an address: there, a link to a part of the page would empty it.
_WITHIN = '<base href="about:srcdoc">'

Figures = Iterator[tuple[str, float | None]]
R = TypeVar("R")


class Artifact(Protocol):
    """An artifact of a KFP component: a file, and values about it."""

    path: str
    metadata: dict[str, Any]


class SkillStatus(Protocol):
    """The part of a report that is about one skill."""

    @property
    def status(self) -> str:
        """Status of the skill in this step."""


def show_numbers(result: Result[R], figures: Callable[[R], Figures], metrics: Artifact) -> None:
    """Write the figures of a result to KFP's metrics.

    Args:
        result: The result.
        figures: The function `numbers` of the step's `dashboard.py`.
        metrics: The metrics.
    """
    entitle(metrics, subject(result))
    metrics.metadata.update(all_numbers(result, figures))


def all_numbers(result: Result[R], figures: Callable[[R], Figures]) -> dict[str, float]:
    """Return the figures of a result by name, duration and reuse included; all are finite."""
    values = {"seconds": result.duration_s, "reused": float(result.reused)}
    values |= {name: value for name, value in figures(result.report) if value is not None}
    return {name: round(float(value), _DIGITS) for name, value in values.items() if math.isfinite(value)}


def count_statuses(skills: Mapping[str, SkillStatus], *statuses: str) -> Figures:
    """Count the skills by status; a status that no skill has counts 0."""
    tally = Counter(skill.status for skill in skills.values())
    for status in statuses:
        yield f"skills: {status}", tally[status]


def show_page(page: str, artifact: Artifact, name: str) -> None:
    """Write a page of HTML to an artifact, titled `name`."""
    entitle(artifact, name)
    Path(artifact.path).write_text(page.replace("<head>", f"<head>{_WITHIN}", 1), "utf-8")


def entitle(artifact: Artifact, name: str) -> None:
    """Set the title of an artifact in the dashboard."""
    artifact.metadata[DISPLAY_NAME] = name


def subject(result: Result[Any]) -> str:
    """Return the title of a result: its step and, if it belongs to a lane, the skills."""
    return f"{result.step}: {skills_of(result)}" if find_step(result.step).per_lane else result.step


def skills_of(result: Result[Any]) -> str:
    """Return the names of the skills of a lane's result, at most the first few."""
    names = list(result.report.skills)
    more = len(names) - _NAMED
    return f"{', '.join(names[:_NAMED])}{f' and {more} more' if more > 0 else ''}"
