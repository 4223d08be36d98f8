"""Progress lines of a run in a log file."""

import io
import time
from typing import Any

from rich.console import Console

from coachworks.cli import follow as follow_module
from coachworks.cli.follow import follow


def step(state: str, *notes: str, done: int | None = None) -> dict[str, Any]:
    """State of the step `embed`, as the store has it."""
    now = time.time()
    task = {"name": "pass", "done": done, "total": 900, "unit": "photos", "started_at": now - 2}
    return {
        "step": "embed",
        "lane": "",
        "state": state,
        "started_at": now - 3,
        "updated_at": now,
        "notes": list(notes),
        "task": None if done is None else task,
    }


def followed(*readings: dict[str, Any]) -> list[str]:
    """Lines printed while the step's state goes through these readings."""
    output = io.StringIO()
    states = iter(readings)
    left = iter([True] * (len(readings) - 1) + [False])
    follow(lambda: [next(states)], lambda: next(left), Console(file=output, width=200), every_s=0)
    return output.getvalue().splitlines()


def test_a_line_is_printed_when_a_step_starts_and_when_it_ends():
    lines = followed(step("running"), step("running", done=120), step("done", "3 photos reused"))
    assert lines[0] == "▸ embed"
    assert len(lines) == 2
    assert lines[1].startswith("✓ embed")
    assert lines[1].endswith("3.0 s  3 photos reused")


def test_notes_that_are_sentences_are_joined_without_their_full_stops():
    lines = followed(step("running"), step("done", "view is stopped: no photo.", "colour is stopped: no label."))
    assert lines[1].endswith("view is stopped: no photo; colour is stopped: no label")


def test_long_work_prints_its_figures_from_time_to_time(monkeypatch):
    monkeypatch.setattr(follow_module, "_LOG_INTERVAL_S", 0)
    lines = followed(step("running"), step("running", done=120), step("failed", "no photo has a label"))
    assert "120/900 photos  60/s  0:13 left" in lines[1]
    assert lines[2].startswith("✗ embed")
