"""Progress on a terminal: bars for steps that run on their own, and the figures beside every bar."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TaskID, TextColumn
from rich.progress import Task as RichTask
from rich.text import Text

from coachworks.cli.console import say
from coachworks.progress import Task
from coachworks.wording import clock

BAR_WIDTH = 30
_SETTLING_S = 0.5  # before that, a rate would be a guess


def progress_figures(done: int, total: int | None, unit: str, elapsed_s: float) -> str:
    """Return the figures of long work: done of total, units per second, time left.

    >>> progress_figures(120, 900, "photos", 2.0), progress_figures(900, 900, "photos", 15.0)
    ('120/900 photos  60/s  0:13 left', '900/900 photos  60/s')
    >>> progress_figures(0, 900, "photos", 9.0), progress_figures(50, None, "objects", 10.0)
    ('0/900 photos', '50 objects  5/s')
    """
    figures = f"{done:,} {unit}" if total is None else f"{done:,}/{total:,} {unit}"
    if not done or elapsed_s <= _SETTLING_S:
        return figures
    rate = done / elapsed_s
    left = "" if total is None or done >= total else f"  {clock((total - done) / rate)} left"
    return f"{figures}  {rate:,.0f}/s{left}"


class FiguresColumn(ProgressColumn):
    """Column with the figures of a task."""

    def render(self, task: RichTask) -> Text:
        """Return the figures of a task."""
        total = None if task.total is None else int(task.total)
        elapsed_s = task.finished_time or task.elapsed or 0.0
        return Text(progress_figures(int(task.completed), total, str(task.fields.get("unit", "")), elapsed_s))


def progress_bar(console: Console) -> Progress:
    """Return the progress bar of long work."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=BAR_WIDTH),
        FiguresColumn(),
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
        """Show one bar."""
        yield _TerminalTask(self._bar, self._bar.add_task(name, total=total, unit=unit))

    def note(self, text: str) -> None:
        """Print one line above the bars."""
        say(self._console, f"  {text}", style="dim", markup=False)
