"""Runs of the pipeline on this machine: all its steps in one child process, whose output is the run's log.

docs/decisions/0026-one-process-per-run.md says why they do not go through `kfp.local`.
"""

import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from coachworks.fleet.model import Fleet
from coachworks.leases import adopt, run_lease
from coachworks.results import load
from coachworks.runs import FAILED, RUN_VARIABLE, Run, finish, in_this_process, load_run, log_file
from coachworks.settings import child_environment
from coachworks.steps import Step
from coachworks.storage_failures import writing_to
from coachworks.store import Store, open_store
from coachworks.task import run_task
from pipelines.chain import do_step, steps_of


def spawn(store: Store, run: Run) -> subprocess.Popen[bytes]:
    """Start `run` in a child process; its output goes to the run's log."""
    command = [sys.executable, "-m", "pipelines.local", store.uri, run.id]
    log = log_file(store, run)
    with writing_to(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        file = log.open("wb")
    with file:
        return subprocess.Popen(  # noqa: S603 — our own module
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=child_environment() | {RUN_VARIABLE: run.id},
            start_new_session=True,
        )


def execute(fleet: Fleet, run: Run) -> str:
    """Execute the fleet's steps one after another in this process, as tasks of the run that `RUN_VARIABLE` names.

    Each library is imported once, by the first step that needs it; where nothing has changed, by none.

    Returns:
        Key of the result of the last step.
    """

    def do(step: Step, *inputs: Any) -> str:
        lane = f" {', '.join(inputs[-1])}" if step.per_lane else ""
        sys.stdout.write(f"{datetime.now().astimezone():%H:%M:%S} {step.name}{lane}\n")
        return run_task(step.name, run.fleet, *inputs).result.key

    keys: list[str] = []
    for step in steps_of(fleet):
        keys = do_step(step, keys, run.lanes, do)
    return keys[0]


def main(arguments: Sequence[str]) -> int:
    """Run `python -m pipelines.local STORE RUN`, which `spawn` starts."""
    uri, run_id = arguments
    store = open_store(uri)
    run = load_run(store, run_id)
    fleet = Fleet.from_json(run.fleet)
    with adopt(store, run_lease(fleet.name), run.work).renewed():
        run = in_this_process(run)
        run.save(store)
        store.sweep()
        try:
            key = execute(fleet, run)
        except Exception:
            run.ended(store, FAILED)
            raise
        finish(store, run, load(store, fleet.steps[-1], key))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
