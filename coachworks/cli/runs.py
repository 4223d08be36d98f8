"""`coachworks runs` and `coachworks cancel`: the fleet's runs on the cluster."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.options import fleet_option, json_option

if TYPE_CHECKING:
    from pipelines.kubeflow import RemoteRun

_COLOURS = {"SUCCEEDED": "green", "FAILED": "red", "CANCELED": "yellow", "RUNNING": "cyan"}


@click.command(short_help="List the fleet's runs on the cluster.")
@fleet_option
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="Most runs to list.")
@json_option
def runs(file: Path, limit: int, as_json: bool) -> None:
    """List the fleet's runs on Kubeflow Pipelines, newest first, and its schedule.

    \b
    Examples:
      coachworks runs
      coachworks runs --limit 5 --json
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console
    from rich.table import Table

    from coachworks.fleet.reader import read_fleet
    from pipelines.kubeflow import open_kubeflow

    fleet = read_fleet(file)
    kubeflow = open_kubeflow(fleet.spec.cluster)
    experiment = kubeflow.experiment(fleet.name)
    found = kubeflow.runs(experiment, limit)
    schedules = kubeflow.schedules(experiment)
    if as_json:
        document = {"runs": [_facts(run) for run in found], "schedules": [asdict(entry) for entry in schedules]}
        click.echo(json.dumps(document, default=str, indent=1))
        return
    console = Console()
    for entry in schedules:
        state = "" if entry.enabled else ", disabled"
        console.print(f"By itself: {entry.cron} (seconds first){state}; schedule {entry.id}", highlight=False)
    if not found:
        console.print(f"Nothing has run for the fleet {fleet.name} yet. `coachworks submit` starts a run.")
        return
    table = Table("Run", "State", "Started", "Took", "By", box=None, pad_edge=False)
    for run in found:
        colour = _COLOURS.get(run.state, "default")
        started = run.created_at.astimezone().strftime("%Y-%m-%d %H:%M") if run.created_at else ""
        by = "schedule" if run.schedule else "hand"
        table.add_row(run.id, f"[{colour}]{run.state.lower()}[/{colour}]", started, _took(run), by)
    console.print(table)


def _facts(run: "RemoteRun") -> dict[str, object]:
    return {key: value for key, value in asdict(run).items() if key != "tasks"}


def _took(run: "RemoteRun") -> str:
    if run.created_at is None or run.finished_at is None:
        return ""
    seconds = (run.finished_at - run.created_at).total_seconds()
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"


@click.command(short_help="End a run on the cluster, or a schedule.")
@fleet_option
@click.argument("name", metavar="ID")
def cancel(file: Path, name: str) -> None:
    """End a run on the cluster, or a schedule, by its id as `coachworks runs` shows it; a beginning will do.

    What the run's steps have finished is kept: `coachworks submit` continues from there.

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
    found = [run for run in kubeflow.runs(experiment, 200) if run.id.startswith(name)]
    if len(schedules) + len(found) > 1:
        raise InvalidConfigError(f"{name!r} is the beginning of several ids. Give more of it: `coachworks runs`.")
    if schedules:
        if kubeflow.retire(experiment, schedules[0]):
            click.echo(f"The schedule {schedules[0]} is removed.")
        else:
            click.echo(
                f"The schedule {schedules[0]} is disabled. It is not removed: that would end the run of it which is at "
                "work. Cancel that run too, or this schedule once more when it is over."
            )
    elif found and found[0].ended:
        click.echo(f"The run {found[0].id} is over already: {found[0].state.lower()}.")
    elif found:
        kubeflow.cancel(found[0].id)
        mark_cancelled(open_store(fleet.spec.store), found[0].id)
        click.echo(f"The run {found[0].id} is being ended. What its steps have finished is kept.")
    else:
        raise NotFoundError(f"the fleet {fleet.name} has no run or schedule {name!r}. `coachworks runs` lists them.")
