"""Progress on a terminal, for steps that run by themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Task as RichTask
from rich.text import Text

from coachworks.progress import Task


class RateColumn(ProgressColumn):
    """Units per second."""

    def render(self, task: RichTask) -> Text:
        """The speed of the last seconds, with its unit."""
        speed = task.finished_speed or task.speed
        unit = task.fields.get("unit", "")
        return Text("" if speed is None else f"{speed:,.0f} {unit}/s", style="cyan")


def progress_bar(console: Console) -> Progress:
    """The bar that every long piece of work shows: done of total, units per second, time left."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=False,
    )


class _TerminalTask:
    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar, self._task = bar, task

    def advance(self, amount: int = 1) -> None:
        self._bar.advance(self._task, amount)


class TerminalProgress:
    """A `coachworks.progress.Progress` that draws bars; use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console, self._bar = console, progress_bar(console)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    @contextmanager
    def task(self, name: str, *, total: int | None, unit: str) -> Iterator[Task]:
        """One bar."""
        yield _TerminalTask(self._bar, self._bar.add_task(name, total=total, unit=unit))

    def note(self, text: str) -> None:
        """One line above the bars."""
        self._console.print(f"  {text}", style="dim", highlight=False)
