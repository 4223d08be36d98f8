"""Runs: one record per pipeline run in the store, for those who follow it and those who look at it later."""

import json
import platform
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coachworks.errors import NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.leases import run_lease, seems_held
from coachworks.result import Result
from coachworks.steps import LAST
from coachworks.store import (
    Process,
    Store,
    machine_folder,
    process_alive,
    read_record,
    record_bytes,
    this_process,
    write_record,
)
from coachworks.wording import pipeline_command

RUN_VARIABLE = "COACHWORKS_RUN"  # holds the run's id in the processes and pods of its steps
RUNNING, SUCCEEDED, FAILED = "running", "succeeded", "failed"
INTERRUPTED, CANCELLED = "interrupted", "cancelled"
POD_STUCK = "PodStuck"  # type of the error of a run that waits for a pod that does not start
LATEST = "latest/run"  # leads to the newest run; with the fleet's name appended to that of one fleet


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run of the pipeline: `runs/<id>/run.json`, with `progress/`, `errors/` and its log beside it.

    Attributes:
        id: `20260102-030405-1a2b3c`; on a cluster the id that Kubeflow Pipelines gave.
        fleet: The fleet, as JSON.
        lanes: The skills, lane by lane.
        refresh: Steps done afresh.
        state: `running`, `succeeded`, `failed`, `interrupted` or `cancelled`.
        started_at: Seconds since the epoch.
        ended_at: Likewise, or None while it runs.
        document: Key of the result of document, when it got there.
        deployed: Key of the result of deploy, where that is part of the pipeline and when it got there.
        pid: Process that runs it; None on a cluster.
        host: Name of the machine of that process.
        machine: Digest of that machine, by which a later process with the same PID is told apart; None in records of
            earlier versions.
        process_started: Start time of that process.
    """

    id: str
    fleet: str
    lanes: list[list[str]]
    refresh: list[str] = field(default_factory=list)
    state: str = RUNNING
    started_at: float = 0.0
    ended_at: float | None = None
    document: str | None = None
    deployed: str | None = None
    pid: int | None = None
    host: str | None = None
    machine: str | None = None
    process_started: str = "0"

    @property
    def work(self) -> str:
        """Name of the run for people and for its lease."""
        return f"run {self.id}"

    @property
    def fleet_name(self) -> str:
        """Name of the fleet."""
        return str(json.loads(self.fleet or "{}").get("metadata", {}).get("name", ""))

    @property
    def remote(self) -> bool:
        """True if it runs on a cluster."""
        return self.pid is None

    def save(self, store: Store) -> None:
        """Publish the record."""
        store.write(_key(self.id), self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the record as sealed JSON."""
        return record_bytes(asdict(self))

    def ended(self, store: Store, state: str, document: str | None = None, deployed: str | None = None) -> "Run":
        """Return the run with its final state, and publish the record."""
        run = replace(self, state=state, document=document, deployed=deployed, ended_at=time.time())
        run.save(store)
        return run


def new_run(fleet: str, lanes: list[list[str]], refresh: Sequence[str] = ()) -> Run:
    """Return the record of a run that is to begin on this machine; nothing is published yet."""
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
    run = Run(id=name, fleet=fleet, lanes=lanes, refresh=list(refresh), started_at=time.time())
    return in_this_process(run)


def in_this_process(run: Run) -> Run:
    """Return the run as one that this process executes."""
    own = this_process()
    return replace(run, pid=own.pid, host=platform.node(), machine=own.machine, process_started=own.started)


def start_run(store: Store, run: Run) -> Run:
    """Start a run on this machine: publish its record before anything is done."""
    run.save(store)
    _point_to(store, run)
    return run


def record_remote(store: Store, run_id: str, fleet: str, lanes: list[list[str]], refresh: Sequence[str] = ()) -> Run:
    """Record a run that Kubeflow Pipelines has started, under its id there."""
    run = Run(id=run_id, fleet=fleet, lanes=lanes, refresh=list(refresh), started_at=time.time())
    run.save(store)
    _point_to(store, run)
    return run


def adopt_run(store: Store, run_id: str, fleet: Fleet) -> Run:
    """Return the record of the run that a step belongs to; the first step of a recurring run creates it."""
    try:
        return _read(store, run_id)
    except NotFoundError:
        run = Run(id=run_id, fleet=fleet.to_json(), lanes=fleet.lanes(), started_at=time.time())
        if store.create(_key(run_id), run.to_bytes()):
            _point_to(store, run)
        return _read(store, run_id)


def finish_remote(store: Store, run: Run, result: Result[Any]) -> None:
    """End a run on a cluster if `result` is that of its last step; a local run is ended by its own process."""
    if run.remote and result.step in LAST and result.step == Fleet.from_json(run.fleet).steps[-1]:
        finish(store, run, result)


def finish(store: Store, run: Run, last: Result[Any]) -> None:
    """End a run as succeeded, with the result of its last step."""
    if last.step == "deploy":
        run.ended(store, SUCCEEDED, str(last.inputs["document"]), last.key)
    else:
        run.ended(store, SUCCEEDED, last.key)


def mark_cancelled(store: Store, run_id: str) -> None:
    """Record that a run on a cluster was cancelled; Kubeflow may report such a run as failed."""
    with suppress(NotFoundError):  # its first step has not begun
        run = _read(store, run_id)
        if run.state == RUNNING:
            run.ended(store, CANCELLED)


def load_run(store: Store, run_id: str) -> Run:
    """Load the record of a run; its state is `interrupted` if its process no longer exists.

    Raises:
        NotFoundError: there is no such run.
    """
    run = _read(store, run_id)
    if run.state == RUNNING and run.pid is not None and not _is_at_work(store, run):
        return replace(run, state=INTERRUPTED)
    return run


def _is_at_work(store: Store, run: Run) -> bool:
    if run.machine is None:  # recorded by an earlier version
        return run.host not in {None, platform.node()} or process_alive(run.pid or 0)
    process = Process(run.machine, run.pid or 0, run.process_started)
    return process.runs if process.is_here else seems_held(store, run_lease(run.fleet_name), run.work)


def latest_run(store: Store, fleet: str | None = None) -> Run:
    """Load the record of the newest run: of a fleet, or of all that share the store.

    Raises:
        NotFoundError: nothing has run on this store.
    """
    for link in (*([f"{LATEST}.{fleet}"] if fleet else []), LATEST):
        with suppress(NotFoundError):
            return load_run(store, store.resolve_link(link).rpartition("/")[2])
    raise NotFoundError(f"nothing has run on {store.uri} yet. Run {pipeline_command(store.uri)} first.")


def log_file(store: Store, run: Run) -> Path:
    """Return the log of a run on this machine: what its steps and their libraries print."""
    return machine_folder(store) / "runs" / run.id / "run.log"


def _point_to(store: Store, run: Run) -> None:
    store.set_link(LATEST, f"runs/{run.id}")
    if fleet := run.fleet_name:
        store.set_link(f"{LATEST}.{fleet}", f"runs/{run.id}")


def _key(run_id: str) -> str:
    return f"runs/{run_id}/run.json"


def _read(store: Store, run_id: str) -> Run:
    return Run(**read_record(store, _key(run_id)))


def read_progress(store: Store, run_id: str) -> list[dict[str, Any]]:
    """Read the last progress of each step of a run, in the order they started; see `StoreProgress`."""
    return sorted(_read_all(store, f"runs/{run_id}/progress"), key=lambda state: float(state["started_at"]))


def record_result(store: Store, run_id: str, step: str, lane: str, key: str) -> None:
    """Record the result of a step of a run."""
    name = f"{step}.{lane}" if lane else step
    write_record(store, f"runs/{run_id}/results/{name}.json", {"step": step, "lane": lane, "key": key})


def read_results(store: Store, run_id: str) -> list[dict[str, str]]:
    """Read the results of a run's steps, `{"step", "lane", "key"}` each, except those that KFP cached."""
    return _read_all(store, f"runs/{run_id}/results")


def read_errors(store: Store, run_id: str) -> list[dict[str, Any]]:
    """Read the errors of a run's steps: `{"step", "lane", "type", "message", "traceback"}` each.

    A step whose second attempt succeeded is left out.
    """
    done = {(state["step"], state["lane"]) for state in read_progress(store, run_id) if state["state"] == "done"}
    errors = _read_all(store, f"runs/{run_id}/errors")
    return [error for error in errors if (error["step"], error["lane"]) not in done]


def _read_all(store: Store, prefix: str) -> list[dict[str, Any]]:
    return [read_record(store, key) for key in store.list(prefix) if key.endswith(".json")]
