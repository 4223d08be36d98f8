"""`coachworks submit`: run the whole pipeline on a cluster."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.console import say
from coachworks.cli.options import fleet_option, json_option, known_skills, pod_timeout_option
from coachworks.steps import CHAIN

POD_STUCK_STATUS = 4  # exit status if a pod does not start

if TYPE_CHECKING:
    from rich.console import Console

    from coachworks.fleet.model import Fleet
    from coachworks.store import Store
    from pipelines.kubeflow import Kubeflow
    from pipelines.submit import Submission


@click.command()
@fleet_option
@click.option("--only", multiple=True, metavar="SKILL", help="Train only this skill; may be repeated.")
@click.option("--from", "from_step", type=click.Choice(list(CHAIN)), help="Run this step and all later ones again.")
@click.option("--wait", is_flag=True, help="Follow the run to its end; the exit status is that of `run`.")
@pod_timeout_option
@click.option("--schedule", "recurring", is_flag=True, help="Create a recurring run from `spec.cluster.schedule`.")
@click.option("--cron", metavar="CRON", help='Cron expression for --schedule, such as "0 2 * * *".')
@json_option
def submit(
    file: Path,
    only: tuple[str, ...],
    from_step: str | None,
    wait: bool,
    pod_timeout_s: int,
    recurring: bool,
    cron: str | None,
    as_json: bool,
) -> None:
    """Start the pipeline of `coachworks run` on Kubeflow Pipelines.

    Photos on this machine are first copied into the store. KF_PIPELINES_ENDPOINT is the address of Kubeflow Pipelines;
    without it the cluster of KUBECONFIG is used. Ctrl-C does not stop the run.

    With --wait the exit status is 0 if every skill passed, 1 if one did not or the run failed, and 4 if a pod does not
    start: the run is left as it is. It is 5, and nothing is submitted, while `coachworks run` is at work on the fleet.

    \b
    Examples:
      coachworks submit --wait
      coachworks submit --only image-quality
      coachworks submit --schedule --cron "0 2 * * *"
      coachworks submit --wait --json > table.json
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console

    from coachworks.cli.check import refuse_unknown_values
    from coachworks.errors import InvalidConfigError
    from coachworks.fleet.reader import read_fleet
    from coachworks.run_exclusion import refuse_beside_local
    from coachworks.store import open_store
    from pipelines.kubeflow import open_kubeflow
    from pipelines.submit import Submission, refuse_unfit, steps_from, store_identity

    fleet = read_fleet(file)
    if fleet.spec.deploy.automatic:
        refuse_unknown_values(file, fleet)
    skills = known_skills(fleet, only)
    cron = cron or fleet.spec.cluster.schedule
    if recurring and cron is None:
        raise InvalidConfigError(
            '--schedule needs a cron expression: set `spec.cluster.schedule`, such as "0 2 * * *", or add `--cron`.'
        )
    refuse_unfit(fleet, recurring=recurring)
    console = Console(stderr=True)
    kubeflow = open_kubeflow(fleet.spec.cluster)
    store = open_store(fleet.spec.store)
    if not recurring:
        refuse_beside_local(store, fleet.name)
    submission = Submission(
        fleet=fleet, lanes=fleet.lanes(skills), refresh=steps_from(from_step), salt=store_identity(store)
    )
    if recurring:
        _schedule(kubeflow, submission, str(cron), console, as_json=as_json)
        return
    _start(kubeflow, store, submission, console, pod_timeout_s=pod_timeout_s if wait else None, as_json=as_json)


def _schedule(kubeflow: "Kubeflow", submission: "Submission", cron: str, console: "Console", *, as_json: bool) -> None:
    from pipelines.submit import schedule

    recurring = schedule(kubeflow, submission, cron)
    if as_json:
        click.echo(json.dumps({"schedule": recurring.id, "cron": recurring.cron}))
    say(console, f"Fleet [bold]{submission.fleet.name}[/bold] is scheduled: {recurring.cron} (seconds first)")
    page = kubeflow.schedule_page(recurring.id)
    say(console, f"  {page or _way_to_dashboard(kubeflow, f'recurringrun/details/{recurring.id}')}")
    say(console, f"  `coachworks runs` lists its runs; `coachworks cancel {recurring.id}` deletes it.")


def _start(
    kubeflow: "Kubeflow",
    store: "Store",
    submission: "Submission",
    console: "Console",
    *,
    pod_timeout_s: int | None,
    as_json: bool,
) -> None:
    from dataclasses import replace

    from coachworks.cli.terminal import TerminalProgress
    from pipelines.submit import ingest_here, start

    fleet = submission.fleet
    with TerminalProgress(console) as progress:
        ingested = ingest_here(fleet, progress)
    run = start(kubeflow, store, replace(submission, ingested=ingested))
    page = kubeflow.run_page(run.id)
    say(console, f"Fleet [bold]{fleet.name}[/bold], run {run.id}")
    say(console, f"  {page or _way_to_dashboard(kubeflow, f'runs/details/{run.id}')}")
    if pod_timeout_s is not None:
        watch(kubeflow, store, fleet, run.id, console, pod_timeout_s=pod_timeout_s, as_json=as_json)
        return
    if as_json:
        click.echo(json.dumps({"run": run.id, "page": page or None}))
    say(console, f"`coachworks status --wait --run {run.id}` follows it.")


def _way_to_dashboard(kubeflow: "Kubeflow", page: str) -> str:
    """Return how to open a page of the dashboard whose address is not known."""
    return (
        f"Its page: `{kubeflow.dashboard_command}`, then http://localhost:8080/#/{page}. "
        "`spec.cluster.dashboard` names an address that all can open."
    )


def watch(
    kubeflow: "Kubeflow",
    store: "Store",
    fleet: "Fleet",
    run_id: str,
    console: "Console",
    *,
    pod_timeout_s: int,
    as_json: bool,
) -> None:
    """Follow a run on the cluster to its end, show its table, and exit with the status of `run`.

    A pod that does not start within `pod_timeout_s` seconds ends the command, not the run, with exit status 4.
    """
    from coachworks.cli.follow import follow
    from coachworks.cli.run import finish
    from coachworks.runs import load_run
    from pipelines.remote_progress import RunMonitor
    from pipelines.summary import summarise

    monitor = RunMonitor(kubeflow, store, run_id, fleet.spec.cluster, pod_limit_s=pod_timeout_s)
    try:
        follow(monitor.states, monitor.running, console, every_s=2.0)
    except KeyboardInterrupt:
        say(
            console,
            f"\nThe run continues. `coachworks status --wait --run {run_id}` follows it again; "
            f"`coachworks cancel {run_id}` cancels it.",
        )
        sys.exit(130)
    record = monitor.update_record(load_run(store, run_id))
    summary = summarise(store, record, monitor.errors(record))
    if monitor.gave_up:
        say(
            console,
            f"The run goes on waiting. After a change `coachworks status --wait --run {run_id}` follows it again; "
            f"`coachworks cancel {run_id}` cancels it.",
        )
        finish(summary, console, as_json=as_json, exit_status=POD_STUCK_STATUS)
    finish(summary, console, as_json=as_json)
