"""The table at the end of a run."""

import io
import re

from rich.console import Console

from coachworks.cli.table import show
from pipelines.summary import SkillRow, Summary

MEASURED = {"value": 0.81, "low": 0.7, "high": 0.9}


def lines_of(*rows: SkillRow) -> list[str]:
    """Return the table's lines, with single spaces, and without heading and rule."""
    summary = Summary(
        fleet="cars",
        run="r",
        state="succeeded",
        seconds=1.0,
        passed=True,
        unchanged=False,
        skills=rows,
        errors=(),
        paths={},
    )
    console = Console(file=io.StringIO(), width=80)
    show(summary, console)
    lines = [re.sub(r" +", " ", line).strip() for line in console.file.getvalue().splitlines()]
    return [line for line in lines if line][2:]


def row(**changes: object) -> SkillRow:
    known = {"skill": "view", "status": "passed", "winner": "linear", "balanced_accuracy": MEASURED, "version": "1"}
    return SkillRow(**(known | changes))


def test_a_champion_has_one_row() -> None:
    assert lines_of(row(registered_version="1", registration="champion", champion_accuracy=0.81)) == [
        "view linear 0.810 [0.700, 0.900] ✓ passed v1"
    ]


def test_no_row_mixes_the_challenger_and_the_champion_that_stays() -> None:
    reason = "Version 1 stays the champion"
    table = lines_of(
        row(registered_version="2", registration="challenger", champion_accuracy=0.83, next=reason),
        row(skill="light", registered_version=None, status="failed", registration="not-registered"),
    )
    assert table == [
        "view linear 0.810 [0.700, 0.900] ✓ passed v2",
        "champion 0.830 same photos v1",
        "light linear 0.810 [0.700, 0.900] ✗ failed",
        "champion v1",
        f"view: {reason}",
    ]


def test_an_earlier_champion_s_accuracy_is_that_of_its_own_run() -> None:
    failed = row(status="failed", registered_version=None, registration="not-registered", champion_accuracy=0.9)
    assert lines_of(failed)[1] == "champion 0.900 its own run v1"
