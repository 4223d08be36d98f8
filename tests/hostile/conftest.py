"""The table of what attacks did: tests add rows, the session prints them and can write them into the guide."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent.parent / "docs" / "guide" / "security.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
ROWS = pytest.StashKey[dict[tuple[str, str], str]]()

Measured = Callable[[str, str, str], None]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ROWS] = {}


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    """Add a row to the table: the attack, what is promised, and the result, each a short Markdown text."""

    def add(attack: str, promise: str, result: str) -> None:
        request.config.stash[ROWS][attack, promise] = result

    return add


def table(rows: dict[tuple[str, str], str]) -> str:
    """Return the rows as a Markdown table, in the order in which they were measured."""
    lines = ["| attack | promise | measured |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {attack} | {promise} | {result} |" for (attack, promise), result in rows.items())])


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the table into the guide if UPDATE_GOLDEN=1 and all attacks were run and none succeeded."""
    rows = session.config.stash[ROWS]
    if not rows or os.environ.get("UPDATE_GOLDEN") != "1" or exitstatus != 0:
        return
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{after}", "utf-8")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    if rows := config.stash[ROWS]:
        terminalreporter.section("measured")
        terminalreporter.write_line(table(rows))
