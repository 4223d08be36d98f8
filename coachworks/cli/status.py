"""`coachworks status`: result or progress of the latest run."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.console import say
from coachworks.cli.options import fleet_option, json_option, pod_timeout_option

if TYPE_CHECKING:
    from rich.console import Console

    from coachworks.fleet.model import Fleet
    from components.deploy.status import ReleaseStatus


@click.command()
@fleet_option
@json_option
@click.option("--run", "run_id", metavar="ID", help="Another run; default: the latest.")
@click.option("--wait", is_flag=True, help="Follow a run on the cluster to its end.")
@pod_timeout_option
def status(file: Path, as_json: bool, run_id: str | None, wait: bool, pod_timeout_s: int) -> None:
    """Show the table of the latest run again: photos, winner, accuracy, gate, what to do next.

    Where the fleet is deployed (`spec.deploy.namespace`), the table of the release follows: deployed versions, and pods
    that are ready.

    \b
    Examples:
      coachworks status
      coachworks status --json
      coachworks status --wait
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console

    from coachworks.cli.run import finish
    from coachworks.fleet.reader import read_fleet
    from coachworks.runs import latest_run, load_run, read_progress
    from coachworks.store import open_store
    from pipelines.summary import summarise

    fleet = read_fleet(file)
    store = open_store(fleet.spec.store)
    record = load_run(store, run_id) if run_id else latest_run(store, fleet.name)
    console = Console(stderr=True)
    errors = None
    if record.remote and record.state == "running":
        from coachworks.cli.submit import watch
        from pipelines.kubeflow import open_kubeflow
        from pipelines.remote_progress import RunMonitor

        kubeflow = open_kubeflow(fleet.spec.cluster)
        if wait:
            watch(kubeflow, store, fleet, record.id, console, pod_timeout_s=pod_timeout_s, as_json=as_json)
            return
        monitor = RunMonitor(kubeflow, store, record.id, fleet.spec.cluster)
        monitor.running()
        record = monitor.update_record(record)
        errors = monitor.errors(record)
    say(console, f"Run {record.id}: {record.state}")
    for state in read_progress(store, record.id):
        if state["state"] == "running" and record.state == "running":
            say(console, f"  in progress: {state['step']}")
    finish(summarise(store, record, errors), console, as_json=as_json, release=_release(fleet, console))


def _release(fleet: "Fleet", console: "Console") -> "ReleaseStatus | None":
    """Read the status of the release; None where the file names no namespace, or nothing can be read there."""
    if fleet.spec.deploy.namespace is None:
        return None
    from coachworks.errors import CoachworksError
    from components.deploy.request import open_release
    from components.deploy.status import read_status

    try:
        release = read_status(open_release(fleet))
    except CoachworksError as err:
        say(console, f"The release cannot be read: {err}", markup=False)
        return None
    if release is None:
        say(console, f"Nothing is deployed in the namespace {fleet.spec.deploy.namespace}.")
    return release
