"""What every step shows in the pipelines' dashboard: its telling numbers, and artifacts under names for people.

The dashboard lists numbers by their names' alphabet: what belongs together begins with the same word.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from coachworks.results import Result

DISPLAY_NAME = "display_name"  # where KFP's dashboard looks for it
_DIGITS = 6  # the dashboard prints all that it is given
_NAMED = 3  # skills of a lane that its name tells
# The dashboard shows pages in a frame without an address: there, a link to a part of the page would empty it.
_WITHIN = '<base href="about:srcdoc">'

Report = Mapping[str, Any]
Facts = Iterator[tuple[str, float | None]]


class Artifact(Protocol):
    """An artifact as KFP hands it to a component: a file, and values about it."""

    path: str
    metadata: dict[str, Any]


def show_numbers(result: Result, metrics: Artifact) -> None:
    """Hand the telling numbers of a step's result to the dashboard."""
    entitle(metrics, subject(result))
    metrics.metadata.update(numbers(result))


def show_page(page: str, artifact: Artifact, name: str) -> None:
    """Hand a page of HTML to the dashboard, under `name`."""
    entitle(artifact, name)
    Path(artifact.path).write_text(page.replace("<head>", f"<head>{_WITHIN}", 1), "utf-8")


def entitle(artifact: Artifact, name: str) -> None:
    """Let the dashboard call the artifact `name`."""
    artifact.metadata[DISPLAY_NAME] = name


def subject(result: Result) -> str:
    """What a result is about: its step and, of a lane, the skills."""
    return f"{result.step}: {skills_of(result)}" if result.step in _OF_LANES else result.step


def skills_of(result: Result) -> str:
    """The skills of a lane's result, the first of them by name."""
    names = list(result.report["skills"])
    more = len(names) - _NAMED
    return f"{', '.join(names[:_NAMED])}{f' and {more} more' if more > 0 else ''}"


def numbers(result: Result) -> dict[str, float]:
    """The telling numbers of a step's result by name; all are finite."""
    facts = {"seconds": result.duration_s, "reused": float(result.reused)}
    facts |= {name: value for name, value in _FACTS[result.step](result.report) if value is not None}
    return {name: round(float(value), _DIGITS) for name, value in facts.items() if math.isfinite(value)}


def _ingest(report: Report) -> Facts:
    yield "photos", report["photos"]
    yield "photos: new", report["new_photos"]
    yield "photos: unlabelled", report["unlabelled"]
    yield "sets", report["sets"]
    yield "files: duplicates", report["duplicates"]
    yield "files: no photos", report["ignored"]
    yield "files: rejected", sum(report["rejected"].values())
    for reason, count in report["rejected"].items():
        yield f"files: rejected, {reason}", count
    yield "remarks", report["remarks_count"]


def _split(report: Report) -> Facts:
    for name in ("photos", "sets"):
        for split, count in report[name].items():
            yield f"{name}: {split}", count
    yield "sets: known from before", report["remembered"]
    yield "conflicts", len(report["conflicts"])


def _validate(report: Report) -> Facts:
    verdicts = report["skills"].values()
    yield "photos", report["photos"]
    yield "photos: pairs of near duplicates", report["near_duplicates"]
    yield "skills: may train", sum(verdict["passed"] for verdict in verdicts)
    yield "skills: stopped", sum(not verdict["passed"] for verdict in verdicts)
    severities = Counter(str(finding["severity"]) for finding in report["findings"])
    for severity in sorted({"failure", "warning", "info", *severities}):
        yield f"findings: {severity}", severities[severity]
    yield "expectations", report["expectations"]


def _augment(report: Report) -> Facts:
    yield "views per training photo", report["views"]
    yield "transforms", len(report["transforms"])
    yield "photos shown", report["photos_shown"]


def _embed(report: Report) -> Facts:
    yield "photos", report["photos"]
    yield "photos: per second, views counted", report["photos_per_second"]
    yield "features: computed", report["computed"]
    yield "features: reused", report["reused"]
    yield "features: dimensions", report["dimensions"]
    yield "views per training photo", report["views"]
    yield "seconds: computing", report["seconds"]
    yield "workers", report["workers"]


def _train(report: Report) -> Facts:
    skills = report["skills"]
    yield from _statuses(skills, "trained", "dropped")
    yield "candidates", sum(len(skill["candidates"]) for skill in skills.values())
    yield "explained variance", report["explained_variance"]
    for name, skill in skills.items():
        if skill["winner"] is not None:
            winner = skill["candidates"][skill["winner"]]
            yield f"validation balanced accuracy: {name}", winner["validation_balanced_accuracy"]
            seconds = sum(candidate["seconds"] for candidate in skill["candidates"].values())
            yield f"seconds: training {name}", seconds + skill["refit_seconds"]


def _evaluate(report: Report) -> Facts:
    skills = report["skills"]
    yield from _statuses(skills, "passed", "failed", "dropped")
    for name, skill in skills.items():
        if skill["winner"]:
            yield f"balanced accuracy: {name}", skill["balanced_accuracy"]["value"]
            yield f"calibration error: {name}", skill["ece_after"]
            yield f"mistakes: {name}", skill["sensible_mistakes"] + skill["silly_mistakes"]
            yield f"test photos: {name}", skill["photos"]


def _register(report: Report) -> Facts:
    yield from _statuses(report["skills"], "champion", "challenger", "unchanged", "not-registered")
    for name, skill in report["skills"].items():
        if skill["champion_version"] is not None:
            yield f"version served: {name}", float(skill["champion_version"])


def _package(report: Report) -> Facts:
    yield "skills: in the bundle", len(report["skills"])
    yield "skills: left out", len(report["left_out"])
    yield "bundle: bytes", report["bytes"]
    yield "bundle: bentos built", float(report["bento"] is not None)


def _document(report: Report) -> Facts:
    yield "documents", len(report["documents"])
    for status, count in Counter(report["statuses"].values()).items():
        yield f"skills: {status}", count


def _statuses(skills: Mapping[str, Report], *statuses: str) -> Facts:
    tally = Counter(skill["status"] for skill in skills.values())
    for status in (*statuses, *sorted(set(tally) - set(statuses))):
        yield f"skills: {status}", tally[status]


def _deploy(report: Report) -> Facts:
    yield "revision", report["revision"]
    yield "skills: released", len(report["skills"])
    yield "skills: new versions", sum(skill["version"] != skill["before"] for skill in report["skills"].values())
    yield "skills: awaiting approval", len(report["awaiting"])
    yield "skills: left out", len(report["left_out"])
    yield "smoke test: answers compared", report["smoke"]
    for stage in report["stages"]:
        yield f"seconds: {stage['name']}", stage["seconds"]
    for row in report["soak"]:
        yield f"soak: requests, {row['track']}", row["requests"]
        yield f"soak: errors, {row['track']}", row["errors"]


_FACTS: Mapping[str, Callable[[Report], Facts]] = {
    "ingest": _ingest,
    "split": _split,
    "validate": _validate,
    "augment": _augment,
    "embed": _embed,
    "train": _train,
    "evaluate": _evaluate,
    "register": _register,
    "package": _package,
    "document": _document,
    "deploy": _deploy,
}
_OF_LANES = frozenset({"train", "evaluate", "register"})
