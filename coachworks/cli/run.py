"""`coachworks run`: the whole pipeline on this machine."""

import json
import os
import signal
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.options import fleet_option, json_option, known_skills
from coachworks.steps import CHAIN

if TYPE_CHECKING:
    from rich.console import Console

    from coachworks.fleet.model import Fleet
    from coachworks.leases import HeldError
    from coachworks.runs import Run
    from coachworks.store import Store
    from components.deploy.status import ReleaseStatus
    from pipelines.summary import Summary


@click.command()
@fleet_option
@click.option("--only", multiple=True, metavar="SKILL", help="Train only this skill; may be repeated.  [default: all]")
@click.option(
    "--from",
    "from_step",
    type=click.Choice(list(CHAIN)),
    help="Run this step and all later ones again.",
)
@click.option("--wait", is_flag=True, help="Wait for another run of the fleet, instead of being refused.")
@click.option("--dry-run", is_flag=True, help="Print what would run, and run nothing.")
@json_option
def run(file: Path, only: tuple[str, ...], from_step: str | None, wait: bool, dry_run: bool, as_json: bool) -> None:
    """Run the whole pipeline: from the sources to registered, packaged and documented skills.

    Existing results are reused: an interrupted run continues where it stopped, and a run without changes ends in
    seconds. The exit status is 0 only if every skill passed, and 5 if another run of the fleet is in progress on the
    store, on whatever machine: then nothing has begun.

    \b
    Examples:
      coachworks run
      coachworks run --only image-quality
      coachworks run --from train
      coachworks run --json > table.json
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console

    from coachworks.cli.check import refuse_unknown_values
    from coachworks.fleet.reader import read_fleet

    fleet = read_fleet(file)
    if fleet.spec.deploy.automatic:
        refuse_unknown_values(file, fleet)
    skills = known_skills(fleet, only)
    refresh = list(CHAIN)[list(CHAIN).index(from_step) :] if from_step else []
    if dry_run:
        from pipelines.plan import plan

        steps = list(plan(fleet, refresh, skills))
        if as_json:
            click.echo(json.dumps([asdict(step) for step in steps], indent=1))
        for step in () if as_json else steps:
            click.echo(f"{step.step:<10} {step.state:<8} {step.why}".rstrip())
        return
    console = Console(stderr=True)
    summary = run_fleet(fleet, console, only=skills, refresh=refresh, wait=wait)
    finish(summary, console, as_json=as_json)


def run_fleet(
    fleet: "Fleet",
    console: "Console",
    *,
    only: list[str] | None = None,
    refresh: list[str] | None = None,
    wait: bool = False,
) -> "Summary":
    """Run the pipeline on this machine and show its progress; Ctrl-C stops it, and the next run continues.

    Args:
        fleet: The fleet, located.
        console: Where to show the progress.
        only: Skills to train; None: all.
        refresh: Steps to do again.
        wait: Wait for another run of the fleet, instead of being refused.

    Raises:
        HeldError: another run of the fleet is in progress on this store.
    """
    from coachworks.cli.console import say
    from coachworks.leases import wait_until
    from coachworks.run_exclusion import begin_alone
    from coachworks.runs import new_run, start_run
    from coachworks.store import open_store
    from coachworks.tracking import tracking_of
    from pipelines.summary import summarise

    tracking_of(fleet)  # refuses an address that register could not use, hours before register
    store = open_store(fleet.spec.store)
    run = new_run(fleet.to_json(), fleet.lanes(only), refresh or [])
    begin = partial(begin_alone, store, run)
    lease = wait_until(begin, partial(_say_once, console, set())) if wait else begin()
    try:
        start_run(store, run)
        say(console, f"Fleet [bold]{fleet.name}[/bold], run {run.id}")
        record = _execute(store, run, console)
    finally:
        lease.end()
    return summarise(store, record)


def _say_once(console: "Console", shown: set[str], err: "HeldError") -> None:
    from coachworks.cli.console import say

    work = err.holder.work if err.holder else str(err)
    if work not in shown:
        shown.add(work)
        say(console, f"Waiting: {err}", markup=False)


def _execute(store: "Store", run: "Run", console: "Console") -> "Run":
    """Execute a run in a child process, follow it, and return its record."""
    from coachworks.child_server import sigterm_as_interrupt
    from coachworks.cli.follow import follow
    from coachworks.runs import FAILED, INTERRUPTED, RUNNING, load_run, read_progress
    from pipelines.local import spawn

    process = spawn(store, run)
    try:
        with sigterm_as_interrupt(hangup=False):  # the run goes on without its terminal
            follow(
                lambda: read_progress(store, run.id),
                lambda: process.poll() is None,
                console,
                every_s=2.0 if store.remote else 0.25,
            )
            process.wait()
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        load_run(store, run.id).ended(store, INTERRUPTED)
        console.print("\nInterrupted. Nothing is lost: `coachworks run` continues where it stopped.")
        sys.exit(130)
    record = load_run(store, run.id)
    return record.ended(store, FAILED) if record.state in {RUNNING, INTERRUPTED} else record


def finish(
    summary: "Summary",
    console: "Console",
    *,
    as_json: bool,
    release: "ReleaseStatus | None" = None,
    exit_status: int = 1,
) -> None:
    """Show the table of skills, and that of the release if there is one; exit with a status if a skill did not pass."""
    from rich.console import Console

    from coachworks.cli.console import say
    from coachworks.cli.release_table import show_release_status
    from coachworks.cli.table import show, show_errors
    from coachworks.results import jsonable

    if as_json:
        document = jsonable(summary) | ({"release": jsonable(release)} if release else {})
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
        show_errors(summary, console)
    else:
        show(summary, Console())
        if release is not None:
            show_release_status(release, Console())
    if summary.unchanged:
        say(console, f"Nothing has changed: all results were reused ({summary.seconds:.1f} s).")
    if not summary.passed:
        sys.exit(exit_status)
