"""`coachworks runs` and `coachworks cancel`: the fleet's runs on the cluster."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.console import say
from coachworks.cli.options import fleet_option, json_option
from coachworks.wording import clock, local_time

if TYPE_CHECKING:
    from pipelines.kubeflow import RemoteRun

_COLOURS = {"SUCCEEDED": "green", "FAILED": "red", "CANCELED": "yellow", "RUNNING": "cyan"}


@click.command()
@fleet_option
@click.option(
    "--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="Maximum number of runs to list."
)
@json_option
def runs(file: Path, limit: int, as_json: bool) -> None:
    """List the fleet's runs on Kubeflow Pipelines, newest first, and its schedules.

    A run that waits for a pod that does not start is named with the reason and the way out.

    \b
    Examples:
      coachworks runs
      coachworks runs --limit 5 --json
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console
    from rich.table import Table

    from coachworks.fleet.reader import read_fleet
    from pipelines.kubeflow import open_kubeflow
    from pipelines.pod_ways_out import pod_problems

    fleet = read_fleet(file)
    kubeflow = open_kubeflow(fleet.spec.cluster)
    experiment = kubeflow.experiment(fleet.name)
    records = kubeflow.runs(experiment, limit)
    schedules = kubeflow.schedules(experiment)
    problems = pod_problems(kubeflow, fleet.spec.cluster, [run.id for run in records if not run.ended])
    if as_json:
        document = {
            "runs": [_fields(run, problems) for run in records],
            "schedules": [asdict(entry) for entry in schedules],
        }
        click.echo(json.dumps(document, default=str, indent=1))
        return
    console = Console()
    for entry in schedules:
        state = "" if entry.enabled else ", disabled"
        say(console, f"Schedule {entry.id}: {entry.cron} (seconds first){state}")
    if not records:
        console.print(f"The fleet {fleet.name} has no runs yet. `coachworks submit` starts one.")
        return
    table = Table("Run", "State", "Started", "Duration", "Started by", box=None, pad_edge=False)
    for run in records:
        colour = _COLOURS.get(run.state, "default")
        started = local_time(run.created_at) if run.created_at else ""
        by = "schedule" if run.schedule else "submit"
        table.add_row(run.id, f"[{colour}]{run.state.lower()}[/{colour}]", started, _duration(run), by)
    console.print(table)
    for run_id, problem in problems.items():
        say(console, f"[red]Run {run_id} waits:[/red] ", end="")
        say(console, problem, markup=False)


def _fields(run: "RemoteRun", problems: dict[str, str]) -> dict[str, object]:
    fields = {key: value for key, value in asdict(run).items() if key != "tasks"}
    return {**fields, "problem": problems.get(run.id, "")}


def _duration(run: "RemoteRun") -> str:
    if run.created_at is None or run.finished_at is None:
        return ""
    return clock((run.finished_at - run.created_at).total_seconds())


@click.command()
@fleet_option
@click.argument("name", metavar="ID")
def cancel(file: Path, name: str) -> None:
    """Cancel a run on the cluster, or a schedule, by its id or the beginning of its id; `coachworks runs` lists them.

    Results of finished steps are kept: `coachworks submit` continues from there.

    \b
    Examples:
      coachworks cancel 2b1c9d1e
    """  # noqa: D301 — \b is click's mark
    from coachworks.errors import InvalidConfigError, NotFoundError
    from coachworks.fleet.reader import read_fleet
    from coachworks.runs import mark_cancelled
    from coachworks.store import open_store
    from pipelines.kubeflow import open_kubeflow

    fleet = read_fleet(file)
    kubeflow = open_kubeflow(fleet.spec.cluster)
    experiment = kubeflow.experiment(fleet.name)
    schedules = [entry.id for entry in kubeflow.schedules(experiment) if entry.id.startswith(name)]
    matches = [run for run in kubeflow.runs(experiment, 200) if run.id.startswith(name)]
    if len(schedules) + len(matches) > 1:
        raise InvalidConfigError(
            f"{name!r} is the beginning of several ids. Write more of it; `coachworks runs` lists them."
        )
    if schedules:
        if kubeflow.end_schedule(experiment, schedules[0]):
            click.echo(f"The schedule {schedules[0]} was deleted.")
        else:
            click.echo(
                f"The schedule {schedules[0]} was disabled. Deleting it would end its active run: cancel that run too, "
                "or cancel the schedule again after the run has ended."
            )
    elif matches and matches[0].ended:
        click.echo(f"The run {matches[0].id} has already ended: {matches[0].state.lower()}.")
    elif matches:
        kubeflow.cancel(matches[0].id)
        mark_cancelled(open_store(fleet.spec.store), matches[0].id)
        click.echo(f"The run {matches[0].id} is being cancelled. Results of finished steps are kept.")
    else:
        raise NotFoundError(f"the fleet {fleet.name} has no run or schedule {name!r}. `coachworks runs` lists them.")
