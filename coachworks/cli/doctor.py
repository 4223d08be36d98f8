"""`coachworks doctor`: what is reachable from here and from a pod."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.options import fleet_option, json_option

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from pipelines.doctor.findings import Finding
    from pipelines.doctor.report import Report

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red"), "skipped": ("–", "dim")}


@click.command(short_help="Look at what a run on the cluster needs, from here and from a pod.")
@fleet_option
@click.option("--no-pod", is_flag=True, help="Look from this machine only; nothing is started.")
@click.option(
    "--timeout",
    type=click.IntRange(min=1),
    default=180,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the pod.",
)
@json_option
def doctor(file: Path, no_pod: bool, timeout: int, as_json: bool) -> None:
    """Look at what a run on the cluster needs: Kubeflow Pipelines, the store, MLflow, images and rights.

    One pod, made like those of the steps, makes the same checks as this machine. What is written to see whether it
    can be is removed again. Exit status 0: all is well; 1: something failed, and the table says the way out.

    \b
    Examples:
      coachworks doctor
      coachworks doctor --no-pod          start nothing
      coachworks doctor --json > report.json
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console

    from coachworks.fleet.reader import read_fleet
    from pipelines.doctor.run_checks import make_rounds

    fleet = read_fleet(file)
    progress = Console(stderr=True)
    with progress.status("looking") as status:
        try:
            report = make_rounds(fleet, pod=not no_pod, timeout_s=timeout, tell=status.update)
        except KeyboardInterrupt:
            progress.print("Interrupted; what was started is removed.")
            sys.exit(130)
    if as_json:
        click.echo(json.dumps({"well": report.well, "rows": [asdict(row) for row in report.rows]}, indent=1))
    else:
        _show(report, Console())
    sys.exit(0 if report.well else 1)


def _show(report: "Report", console: "Console") -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("What", style="bold")
    table.add_column("From here")
    table.add_column("From a pod")
    for row in report.rows:
        table.add_row(row.what, _cell(row.here), _cell(row.pod))
    console.print(table)
    for row in report.rows:
        if row.way_out:
            mark, colour = _MARKS["failed" if "failed" in row.verdicts else "warning"]
            console.print(Text.assemble((f"{mark} {row.what}: ", colour), row.way_out), soft_wrap=True)
    if report.well:
        console.print("All is well: `coachworks submit` can run.", style="green", highlight=False)


def _cell(finding: "Finding | None") -> "Text":
    from rich.text import Text

    if finding is None:
        return Text("")
    mark, colour = _MARKS[finding.verdict]
    return Text.assemble((f"{mark} ", colour), finding.said)
