"""`coachworks submit`: the whole pipeline on a cluster."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.options import fleet_option, json_option, known_skills
from coachworks.steps import CHAIN

if TYPE_CHECKING:
    from rich.console import Console

    from coachworks.fleet.model import Fleet
    from coachworks.store import Store
    from pipelines.kubeflow import Kubeflow
    from pipelines.submit import Submission


@click.command(short_help="Run the whole pipeline on Kubeflow Pipelines.")
@fleet_option
@click.option("--only", multiple=True, metavar="SKILL", help="Train only this skill; may be repeated.")
@click.option("--from", "from_step", type=click.Choice(list(CHAIN)), help="Do this step and all after it afresh.")
@click.option("--wait", is_flag=True, help="Follow the run to its end, and exit as `run` does.")
@click.option("--schedule", "recurring", is_flag=True, help="Run by itself, as `spec.cluster.schedule` says.")
@click.option("--cron", metavar="CRON", help='With --schedule: this cron expression instead, as "0 2 * * *".')
@json_option
def submit(
    file: Path,
    only: tuple[str, ...],
    from_step: str | None,
    wait: bool,
    recurring: bool,
    cron: str | None,
    as_json: bool,
) -> None:
    """Send the very pipeline of `run` to Kubeflow Pipelines and start it there.

    Photos on this machine are taken into the store first. KF_PIPELINES_ENDPOINT says where Kubeflow Pipelines is;
    without it the cluster of KUBECONFIG is asked. Ctrl-C leaves the run going.

    \b
    Examples:
      coachworks submit --wait
      coachworks submit --only image-quality
      coachworks submit --schedule --cron "0 2 * * *"
      coachworks submit --wait --json > table.json
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console

    from coachworks.errors import InvalidConfigError
    from coachworks.fleet.reader import read_fleet
    from coachworks.store import open_store
    from pipelines.kubeflow import open_kubeflow
    from pipelines.submit import Submission, refuse_unfit, steps_from, store_identity

    fleet = read_fleet(file)
    skills = known_skills(fleet, only)
    cron = cron or fleet.spec.cluster.schedule
    if recurring and cron is None:
        raise InvalidConfigError(
            '--schedule needs a cron expression: set `spec.cluster.schedule` to one, as "0 2 * * *", or add `--cron`.'
        )
    refuse_unfit(fleet, recurring=recurring)
    console = Console(stderr=True)
    kubeflow = open_kubeflow(fleet.spec.cluster)
    store = open_store(fleet.spec.store)
    submission = Submission(
        fleet=fleet, lanes=fleet.lanes(skills), refresh=steps_from(from_step), salt=store_identity(store)
    )
    if recurring:
        _schedule(kubeflow, submission, str(cron), console, as_json=as_json)
        return
    _start(kubeflow, store, submission, console, wait=wait, as_json=as_json)


def _schedule(kubeflow: "Kubeflow", submission: "Submission", cron: str, console: "Console", *, as_json: bool) -> None:
    from pipelines.submit import schedule

    made = schedule(kubeflow, submission, cron)
    if as_json:
        click.echo(json.dumps({"schedule": made.id, "cron": made.cron}))
    console.print(f"Fleet [bold]{submission.fleet.name}[/bold] runs by itself: {made.cron}", highlight=False)
    console.print(f"  {kubeflow.dashboard}/#/recurringrun/details/{made.id}", highlight=False, soft_wrap=True)
    console.print(
        f"  `coachworks runs` lists its runs; `coachworks cancel {made.id}` ends it.", highlight=False, soft_wrap=True
    )


def _start(
    kubeflow: "Kubeflow", store: "Store", submission: "Submission", console: "Console", *, wait: bool, as_json: bool
) -> None:
    from dataclasses import replace

    from coachworks.cli.terminal import TerminalProgress
    from pipelines.submit import ingest_here, start

    fleet = submission.fleet
    with TerminalProgress(console) as progress:
        ingested = ingest_here(fleet, progress)
    run = start(kubeflow, store, replace(submission, ingested=ingested))
    page = kubeflow.run_page(run.id, fleet.spec.cluster.dashboard)
    console.print(f"Fleet [bold]{fleet.name}[/bold], run {run.id}", highlight=False)
    console.print(f"  {page}", highlight=False, soft_wrap=True)
    if wait:
        watch(kubeflow, store, fleet, run.id, console, as_json=as_json)
        return
    if as_json:
        click.echo(json.dumps({"run": run.id, "page": page}))
    console.print(f"`coachworks status --wait --run {run.id}` follows it.", highlight=False, soft_wrap=True)


def watch(
    kubeflow: "Kubeflow", store: "Store", fleet: "Fleet", run_id: str, console: "Console", *, as_json: bool
) -> None:
    """Follow a run on the cluster to its end, show its table, and exit as `run` does."""
    from coachworks.cli.follow import follow
    from coachworks.cli.run import finish
    from coachworks.runs import FAILED, load_run
    from pipelines.remote_progress import Watch
    from pipelines.summary import summarise

    watched = Watch(kubeflow, store, run_id)
    try:
        follow(watched.states, watched.running, console, every_s=2.0)
    except KeyboardInterrupt:
        console.print(
            f"\nThe run goes on. `coachworks status --wait --run {run_id}` comes back to it; "
            f"`coachworks cancel {run_id}` ends it.",
            highlight=False,
            soft_wrap=True,
        )
        sys.exit(130)
    record = watched.settled(load_run(store, run_id))
    errors = watched.failures() if record.state == FAILED else []
    finish(summarise(store, record, errors), console, as_json=as_json)
