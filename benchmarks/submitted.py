"""Duration of a submitted run, step by step, beside the local run of the same fleet.

    python benchmarks/submitted.py cluster.yaml [RUN] [--local fleet.yaml]

`work` is the duration of the step itself, as it reported it; `pod` is the time that Kubeflow Pipelines spent on the
step, with the driver's pod and the start of the executor. Run the local fleet first (`coachworks run`), on the same
machine, without other load.
"""

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from coachworks.fleet.reader import read_fleet
from coachworks.runs import latest_run, load_run, read_progress
from coachworks.steps import CHAIN
from coachworks.store import Store, open_store
from pipelines.kubeflow import RemoteTask, open_kubeflow


def work(store: Store, run: str) -> dict[str, float]:
    """Seconds of every step's own work; for lanes, those of the longest."""
    seconds: dict[str, float] = {}
    for state in read_progress(store, run):
        took = state["updated_at"] - state["started_at"]
        seconds[state["step"]] = max(took, seconds.get(state["step"], 0.0))
    return seconds


def span(tasks: list[RemoteTask]) -> float:
    """Seconds from the first start to the last end."""
    starts = [task.started_at for task in tasks if task.started_at]
    ends = [task.ended_at for task in tasks if task.ended_at]
    return (max(ends) - min(starts)).total_seconds() if starts and ends else 0.0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fleet", type=Path)
    parser.add_argument("run", nargs="?")
    parser.add_argument("--local", type=Path)
    arguments = parser.parse_args()
    fleet = read_fleet(arguments.fleet)
    store = open_store(fleet.spec.store)
    run = load_run(store, arguments.run) if arguments.run else latest_run(store)
    remote = open_kubeflow(fleet.spec.cluster).run(run.id)
    there = work(store, run.id)
    here, local_total = {}, None
    if arguments.local:
        local_store = open_store(read_fleet(arguments.local).spec.store)
        local = latest_run(local_store)
        here = work(local_store, local.id)
        local_total = (local.ended_at or 0) - local.started_at
    table = Table("Step", "local work s", "submitted: work s", "pod s", box=None, pad_edge=False)
    for step in CHAIN:
        pod = span([task for task in remote.tasks if task.name in {step, f"{step}-driver"}])
        table.add_row(step, f"{here.get(step, 0):.1f}" if here else "", f"{there.get(step, 0):.1f}", f"{pod:.1f}")
    total = (remote.finished_at - remote.created_at).total_seconds() if remote.finished_at and remote.created_at else 0
    table.add_row(
        "whole run", f"{local_total:.1f}" if local_total else "", f"{sum(there.values()):.1f}", f"{total:.1f}"
    )
    Console().print(table)


if __name__ == "__main__":
    main()
