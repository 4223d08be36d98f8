"""`coachworks doctor`: checks of what a run on the cluster needs, from this machine and from a pod."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.console import say
from coachworks.cli.options import fleet_option, json_option

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from pipelines.doctor.findings import Finding
    from pipelines.doctor.report import Report

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red"), "skipped": ("–", "dim")}


@click.command()
@fleet_option
@click.option("--no-pod", is_flag=True, help="Check from this machine only, without starting a pod.")
@click.option(
    "--timeout",
    type=click.IntRange(min=1),
    default=180,
    show_default=True,
    metavar="SECONDS",
    help="Longest wait for the pod.",
)
@json_option
def doctor(file: Path, no_pod: bool, timeout: int, as_json: bool) -> None:
    """Check what a run on the cluster needs: Kubeflow Pipelines, the store, MLflow, images and rights.

    A pod with the settings of the steps' pods makes the same checks as this machine. Everything that the checks
    write is removed again. Exit status 0: no check failed; 1: a check failed, and the table shows the way out.

    \b
    Examples:
      coachworks doctor
      coachworks doctor --no-pod
      coachworks doctor --json > report.json
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console

    from coachworks.fleet.reader import read_fleet
    from pipelines.doctor.run_checks import run_checks

    fleet = read_fleet(file)
    progress = Console(stderr=True)
    with progress.status("checking") as status:
        try:
            report = run_checks(fleet, pod=not no_pod, timeout_s=timeout, show=status.update)
        except KeyboardInterrupt:
            progress.print("Interrupted. The pod and everything that was written are removed.")
            sys.exit(130)
    if as_json:
        click.echo(json.dumps({"ok": report.ok, "rows": [asdict(row) for row in report.rows]}, indent=1))
    else:
        _show(report, Console())
    sys.exit(0 if report.ok else 1)


def _show(report: "Report", console: "Console") -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Check", style="bold")
    table.add_column("From here")
    table.add_column("From a pod")
    for row in report.rows:
        table.add_row(row.subject, _cell(row.local), _cell(row.pod))
    console.print(table)
    for row in report.rows:
        if row.way_out:
            mark, colour = _MARKS["failed" if "failed" in row.statuses else "warning"]
            console.print(Text.assemble((f"{mark} {row.subject}: ", colour), row.way_out), soft_wrap=True)
    if report.ok:
        say(console, "No check failed: `coachworks submit` can run.", style="green")


def _cell(finding: "Finding | None") -> "Text":
    from rich.text import Text

    if finding is None:
        return Text("")
    mark, colour = _MARKS[finding.status]
    return Text.assemble((f"{mark} ", colour), finding.summary)
