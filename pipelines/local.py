"""Runs of the pipeline on this machine with `kfp.local`, in a child process whose output is KFP's log."""

import subprocess
import sys
import warnings
from collections.abc import Sequence

from coachworks.fleet.model import Fleet
from coachworks.leases import adopt, run_lease
from coachworks.results import load
from coachworks.runs import FAILED, RUN_VARIABLE, Run, finish, in_this_process, load_run
from coachworks.settings import child_environment
from coachworks.storage_failures import writing_to
from coachworks.store import Store, machine_folder, open_store


def spawn(store: Store, run: Run) -> subprocess.Popen[bytes]:
    """Start `run` in a child process; its output goes to `kfp.log` in the run's folder on this machine."""
    command = [sys.executable, "-m", "pipelines.local", store.uri, run.id]
    log = machine_folder(store) / "runs" / run.id / "kfp.log"
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


def execute(store: Store, run: Run) -> str:
    """Execute the pipeline's components one after another, each in its own process.

    Returns:
        Key of the result of the last step.
    """
    from kfp import local

    from pipelines.fleet import compose

    warnings.filterwarnings("ignore", message=".*custom or non-Python base image.*")
    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=str(machine_folder(store) / "runs" / run.id / "kfp"),
        enable_caching=False,  # results are kept by their content, which kfp.local's cache does not look at
    )
    deploys = Fleet.from_json(run.fleet).spec.deploy.automatic
    task = compose(deploys=deploys)(fleet=run.fleet, recipe=run.fleet, lanes=run.lanes)
    return str(task.outputs["Output"])


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
            key = execute(store, run)
        except Exception:
            run.ended(store, FAILED)
            raise
        finish(store, run, load(store, fleet.steps[-1], key))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
