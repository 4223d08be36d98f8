"""Follow a run: one line per step, from the progress that the steps publish."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from coachworks.cli.console import say
from coachworks.cli.terminal import BAR_WIDTH, progress_figures
from coachworks.progress import WAITING_FOR_POD

States = Callable[[], list[dict[str, Any]]]
_LOG_INTERVAL_S = 10.0  # without a terminal: time between two lines about the same long task


def follow(states: States, running: Callable[[], bool], console: Console, *, every_s: float = 0.25) -> None:
    """Show a run's steps until `running()` is false.

    On a terminal the lines are updated in place; elsewhere a line is printed when a step starts or ends, and every
    few seconds while it is working.

    Args:
        states: Returns the states of the steps, as `coachworks.runs.read_progress` does.
        running: Returns whether the run is still running.
        console: Where to print.
        every_s: Seconds between two readings.
    """
    if console.is_terminal:
        with Live(console=console, refresh_per_second=8) as live:
            while running():
                live.update(_lines(states()))
                time.sleep(every_s)
            live.update(_lines(states()))
        return
    log = _LogLines(console)
    while running():
        log.update(states())
        time.sleep(every_s)
    log.update(states())


_MARKS = {
    "done": Text("✓", "green"),
    "cached": Text("✓", "green dim"),
    "failed": Text("✗", "red"),
    "waiting": Text("…", "dim"),
}


def _lines(states: list[dict[str, Any]]) -> Group:
    lines: list[Table | Text] = []
    for state in states:
        grid = Table.grid(padding=(0, 1))
        mark = _MARKS.get(state["state"], Text("▸", "cyan"))
        task = state["task"]
        if state["state"] == "running" and task and task["total"]:
            bar = ProgressBar(total=task["total"], completed=task["done"], width=BAR_WIDTH)
            grid.add_row(mark, f"{_title(state):<12}", bar, _figures(task))
        else:
            grid.add_row(mark, f"{_title(state):<12}", _seconds(state), Text(_note(state), "dim"))
        lines.append(grid)
    return Group(*lines)


def _title(state: Mapping[str, Any]) -> str:
    return f"{state['step']} {state['lane']}…" if state["lane"] else str(state["step"])


def _note(state: Mapping[str, Any]) -> str:
    if state["state"] == "running" and state["task"]:
        return str(state["task"]["name"])
    return "; ".join(note.rstrip(".") for note in state["notes"][-2:])


def _seconds(state: Mapping[str, Any]) -> str:
    end = time.time() if state["state"] in {"running", "waiting"} else state["updated_at"]
    return f"{end - state['started_at']:6.1f} s"


def _figures(task: Mapping[str, Any]) -> str:
    return progress_figures(task["done"], task["total"], task["unit"], time.time() - task["started_at"])


class _LogLines:
    """Lines for a log file."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._states: dict[str, str] = {}
        self._printed_at: dict[str, float] = {}
        self._notes: dict[str, str] = {}

    def update(self, states: list[dict[str, Any]]) -> None:
        for state in states:
            title, now = _title(state), time.monotonic()
            if self._states.get(title) != state["state"]:
                self._states[title] = state["state"]
                self._printed_at[title] = now
                if state["state"] in {"running", "waiting"}:
                    self._print(f"{_MARKS.get(state['state'], '▸')} {title}")
                    self._notes[title] = WAITING_FOR_POD
                else:
                    mark = _MARKS[state["state"]]
                    self._print(f"{mark} {title:<12} {_seconds(state)}  {_note(state)}".rstrip())
            elif self._is_long(state) and now - self._printed_at[title] >= _LOG_INTERVAL_S:
                self._printed_at[title] = now
                self._print(f"  {title:<12} {_figures(state['task'])}")
            if state["state"] == "waiting" and _note(state) != self._notes[title]:  # why its pod does not start
                self._notes[title] = _note(state)
                self._print(f"  {title:<12} {_note(state)}")

    @staticmethod
    def _is_long(state: Mapping[str, Any]) -> bool:
        return bool(state["state"] == "running" and state["task"] and state["task"]["total"])

    def _print(self, line: str) -> None:
        say(self._console, line, markup=False)
