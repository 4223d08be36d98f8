"""Runs: one record per pipeline run in the store, which tells whoever follows or asks later how it went."""

import json
import os
import platform
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from coachworks.errors import NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.store import Store, process_alive

if TYPE_CHECKING:
    from coachworks.results import Result

RUNNING, SUCCEEDED, FAILED = "running", "succeeded", "failed"
INTERRUPTED, CANCELLED = "interrupted", "cancelled"
LATEST = "latest/run"  # leads to the newest run


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of the pipeline: `runs/<id>/run.json`, with `progress/`, `errors/` and KFP's log beside it.

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

    @property
    def remote(self) -> bool:
        """Whether it runs on a cluster."""
        return self.pid is None

    def save(self, store: Store) -> None:
        """Publish the record."""
        store.write(_key(self.id), self.to_bytes())

    def to_bytes(self) -> bytes:
        """The record, as JSON."""
        return json.dumps(asdict(self), indent=1).encode()

    def ended(self, store: Store, state: str, document: str | None = None, deployed: str | None = None) -> "Run":
        """The same run, over; the record says so."""
        run = replace(self, state=state, document=document, deployed=deployed, ended_at=time.time())
        run.save(store)
        return run


def start_run(store: Store, fleet: str, lanes: list[list[str]], refresh: Sequence[str] = ()) -> Run:
    """A new run on this machine, recorded before anything is done."""
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
    run = Run(
        id=name,
        fleet=fleet,
        lanes=lanes,
        refresh=list(refresh),
        started_at=time.time(),
        pid=os.getpid(),
        host=platform.node(),
    )
    run.save(store)
    store.set_link(LATEST, f"runs/{run.id}")
    return run


def record_remote(store: Store, run_id: str, fleet: str, lanes: list[list[str]], refresh: Sequence[str] = ()) -> Run:
    """Record a run that Kubeflow Pipelines has started, under its id there."""
    run = Run(id=run_id, fleet=fleet, lanes=lanes, refresh=list(refresh), started_at=time.time())
    run.save(store)
    store.set_link(LATEST, f"runs/{run.id}")
    return run


def adopt_run(store: Store, run_id: str, fleet: Fleet) -> Run:
    """The record of the run that a step belongs to; of a recurring run nobody has made one yet."""
    try:
        return _read(store, run_id)
    except NotFoundError:
        run = Run(id=run_id, fleet=fleet.to_json(), lanes=fleet.lanes(), started_at=time.time())
        if store.create(_key(run_id), run.to_bytes()):
            store.set_link(LATEST, f"runs/{run_id}")
        return _read(store, run_id)


def finish_remote(store: Store, run_id: str, result: "Result") -> None:
    """A step of a run on a cluster is done; of its last one the record says so. Of a local run its process says it."""
    run = _read(store, run_id)
    if run.remote and result.step == Fleet.from_json(run.fleet).steps[-1]:
        finish(store, run, result)


def finish(store: Store, run: Run, last: "Result") -> None:
    """A run has succeeded with the result of its last step."""
    if last.step == "deploy":
        run.ended(store, SUCCEEDED, str(last.inputs["document"]), last.key)
    else:
        run.ended(store, SUCCEEDED, last.key)


def mark_cancelled(store: Store, run_id: str) -> None:
    """Somebody has ended a run on a cluster: the record says so. Kubeflow may call such a run failed."""
    with suppress(NotFoundError):  # its first step has not begun
        run = _read(store, run_id)
        if run.state == RUNNING:
            run.ended(store, CANCELLED)


def load_run(store: Store, run_id: str) -> Run:
    """The record of a run; one whose process is gone without a word is `interrupted`.

    Raises:
        NotFoundError: there is no such run.
    """
    run = _read(store, run_id)
    ours = run.host in {None, platform.node()}
    if run.state == RUNNING and run.pid is not None and ours and not process_alive(run.pid):
        return replace(run, state=INTERRUPTED)
    return run


def latest_run(store: Store) -> Run:
    """The newest run.

    Raises:
        NotFoundError: nothing has run on this store.
    """
    try:
        return load_run(store, store.resolve_link(LATEST).rpartition("/")[2])
    except NotFoundError as err:
        raise NotFoundError(f"nothing has run on {store.uri} yet. Run `coachworks run` first.") from err


def _key(run_id: str) -> str:
    return f"runs/{run_id}/run.json"


def _read(store: Store, run_id: str) -> Run:
    return Run(**json.loads(store.read(_key(run_id))))


def read_progress(store: Store, run_id: str) -> list[dict[str, Any]]:
    """What the run's steps last said of themselves, in the order they started; see `StoreProgress`."""
    return sorted(_read_all(store, f"runs/{run_id}/progress"), key=lambda state: float(state["started_at"]))


def record_result(store: Store, run_id: str, step: str, lane: str, key: str) -> None:
    """A step of a run has come to the result `key`."""
    name = f"{step}.{lane}" if lane else step
    store.write(f"runs/{run_id}/results/{name}.json", json.dumps({"step": step, "lane": lane, "key": key}).encode())


def read_results(store: Store, run_id: str) -> list[dict[str, str]]:
    """What the run's steps came to: `{"step", "lane", "key"}` each; not of those that KFP cached."""
    return _read_all(store, f"runs/{run_id}/results")


def read_errors(store: Store, run_id: str) -> list[dict[str, Any]]:
    """What made steps of the run fail: `{"step", "lane", "type", "message", "traceback"}` each.

    What a second attempt mended is left out.
    """
    mended = {(state["step"], state["lane"]) for state in read_progress(store, run_id) if state["state"] == "done"}
    errors = _read_all(store, f"runs/{run_id}/errors")
    return [error for error in errors if (error["step"], error["lane"]) not in mended]


def _read_all(store: Store, prefix: str) -> list[dict[str, Any]]:
    return [json.loads(store.read(key)) for key in store.list(prefix) if key.endswith(".json")]
