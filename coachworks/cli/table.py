"""The table at the end of a run: one line per skill, the next step for each, and the paths of the results."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from coachworks.cli.console import say
from coachworks.runs import POD_STUCK

if TYPE_CHECKING:
    from components.deploy.report import DeployReport
    from pipelines.summary import SkillRow, Summary

_MARKS = {"passed": ("✓ passed", "green"), "failed": ("✗ failed", "red"), "dropped": ("– dropped", "yellow")}
_PLACES = {
    "document": "Documents",
    "validation": "Validation",
    "contact_sheet": "Contact sheet",
    "evaluation": "Evaluation",
}


def show(summary: "Summary", console: Console) -> None:
    """Print the table, the errors if there are any, and the paths."""
    table = Table(box=box.SIMPLE_HEAD, title=None, pad_edge=False)
    table.add_column("Skill", no_wrap=True, style="bold")
    table.add_column("Photos", justify="right")
    table.add_column("Winner", no_wrap=True)
    table.add_column("Balanced accuracy", no_wrap=True)
    table.add_column("Gate", no_wrap=True)
    table.add_column("Model", justify="right", no_wrap=True)
    for row in summary.skills:
        mark, colour = _MARKS.get(row.status, ("? unknown", "dim"))
        table.add_row(
            row.skill,
            "" if row.photos is None else f"{row.photos:,}",
            row.winner or "",
            _accuracy(row),
            Text(mark, style=colour),
            f"v{row.registered_version}" if row.registered_version else "",
        )
        if row.version and row.version != row.registered_version:  # a row of its own, so that no row mixes versions
            table.add_row("  champion", "", "", _champion_accuracy(row), "", f"v{row.version}", style="dim")
    console.print(table)
    for row in summary.skills:
        if row.next:
            say(console, f"[bold]{row.skill}[/bold]: ", end="")
            say(console, row.next, markup=False)
    show_errors(summary, console)
    if summary.deployment:
        _deployment(summary.deployment, console)
    places = {title: summary.paths[name] for name, title in _PLACES.items() if name in summary.paths}
    for title, path in places.items():
        say(console, f"{title:<14} {short_path(path)}")
    if any(path.startswith("s3://") for path in places.values()):
        say(
            console,
            "`coachworks show document` opens them; likewise validation, contact-sheet, evaluation and "
            "suspicious-labels.",
        )
    if summary.state in {"failed", "interrupted"} and "log" in summary.paths:
        say(console, f"{'Log':<14} {summary.paths['log']}")


def _deployment(report: "DeployReport", console: Console) -> None:
    words = {
        "deployed": "Deployed",
        "unchanged": "Deployed before",
        "awaiting-approval": "Awaiting approval",
        "refused": "[red]Deployment refused[/red]",
    }
    say(console, f"{words[report.status]}: release {report.release} in {report.namespace}")
    for reason in report.refused.values():
        say(console, reason, style="red", markup=False)
    for skill, reason in report.awaiting.items():
        say(console, f"[bold]{skill}[/bold]: ", end="")
        say(console, reason, markup=False)


def show_errors(summary: "Summary", console: Console) -> None:
    """Print the failing steps' own messages."""
    for error in summary.errors:
        lane = f" ({error['lane']}…)" if error["lane"] else ""
        state = "waits" if error["type"] == POD_STUCK else "failed"
        say(console, f"[red]{error['step']}{lane} {state}:[/red] ", end="")
        say(console, error["message"], markup=False)


def short_path(path: str) -> str:
    """Return a path relative to the current folder where it lies in it."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _champion_accuracy(row: "SkillRow") -> str:
    if row.champion_accuracy is None:
        return ""
    measured = "same photos" if row.registration == "challenger" else "its own run"
    return f"{row.champion_accuracy:.3f}  {measured}"


def _accuracy(row: "SkillRow") -> str:
    measured = row.balanced_accuracy
    if not measured or measured.get("value") is None:
        return ""
    text = f"{measured['value']:.3f}"
    if measured.get("low") is not None and measured.get("high") is not None:
        text += f" [{measured['low']:.3f}, {measured['high']:.3f}]"
    return text
