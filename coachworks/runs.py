"""Runs: one record per pipeline run in the store, which tells whoever follows or asks later how it went."""

import json
import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from coachworks.errors import NotFoundError
from coachworks.store import Store, process_alive

RUNNING, SUCCEEDED, FAILED, INTERRUPTED = "running", "succeeded", "failed", "interrupted"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of the pipeline: `runs/<id>/run.json`, with `progress/`, `errors/` and KFP's log beside it.

    Attributes:
        id: Sorts by time: `20260102-030405-1a2b3c`.
        fleet: The fleet, as JSON.
        lanes: The skills, lane by lane.
        refresh: Steps done afresh.
        state: `running`, `succeeded`, `failed` or `interrupted`.
        started_at: Seconds since the epoch.
        ended_at: Likewise, or None while it runs.
        document: Key of the result of the last step, when it got there.
        pid: Process that runs it, on the machine that wrote the record.
    """

    id: str
    fleet: str
    lanes: list[list[str]]
    refresh: list[str] = field(default_factory=list)
    state: str = RUNNING
    started_at: float = 0.0
    ended_at: float | None = None
    document: str | None = None
    pid: int | None = None

    def save(self, store: Store) -> None:
        """Publish the record."""
        store.write(f"runs/{self.id}/run.json", json.dumps(asdict(self), indent=1).encode())

    def ended(self, store: Store, state: str, document: str | None = None) -> "Run":
        """The same run, over; the record says so."""
        run = replace(self, state=state, document=document, ended_at=time.time())
        run.save(store)
        return run


def start_run(store: Store, fleet: str, lanes: list[list[str]], refresh: Sequence[str] = ()) -> Run:
    """A new run, recorded before anything is done."""
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
    run = Run(id=name, fleet=fleet, lanes=lanes, refresh=list(refresh), started_at=time.time(), pid=os.getpid())
    run.save(store)
    return run


def load_run(store: Store, run_id: str) -> Run:
    """The record of a run; one whose process is gone without a word is `interrupted`.

    Raises:
        NotFoundError: there is no such run.
    """
    run = Run(**json.loads(store.read(f"runs/{run_id}/run.json")))
    if run.state == RUNNING and run.pid is not None and not process_alive(run.pid):
        return replace(run, state=INTERRUPTED)
    return run


def latest_run(store: Store) -> Run:
    """The newest run.

    Raises:
        NotFoundError: nothing has run on this store.
    """
    names = sorted({key.split("/")[1] for key in store.list("runs") if key.endswith("/run.json")})
    if not names:
        raise NotFoundError(f"nothing has run on {store.uri} yet. Run `coachworks run` first.")
    return load_run(store, names[-1])


def read_progress(store: Store, run_id: str) -> list[dict[str, Any]]:
    """What the run's steps last said of themselves, in the order they started; see `StoreProgress`."""
    return sorted(_read_all(store, f"runs/{run_id}/progress"), key=lambda state: float(state["started_at"]))


def read_errors(store: Store, run_id: str) -> list[dict[str, Any]]:
    """What made steps of the run fail: `{"step", "lane", "type", "message", "traceback"}` each."""
    return _read_all(store, f"runs/{run_id}/errors")


def _read_all(store: Store, prefix: str) -> list[dict[str, Any]]:
    return [json.loads(store.read(key)) for key in store.list(prefix) if key.endswith(".json")]
