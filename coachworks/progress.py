"""Progress of long work: one interface, shown on a terminal or published to the store for those who follow the run."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Protocol

from coachworks.errors import CoachworksError
from coachworks.store import Store, write_record

_INTERVAL_S = 0.3  # looks live, at a negligible cost
_REMOTE_INTERVAL_S = 1.0
WAITING_FOR_POD = "waiting for its pod"  # note of a step on a cluster before its pod has begun


class Task(Protocol):
    """A piece of long work in progress."""

    def advance(self, amount: int = 1) -> None:
        """Count `amount` more units as done."""


class Progress(Protocol):
    """Receiver of progress updates."""

    def task(self, name: str, *, total: int | None, unit: str) -> AbstractContextManager[Task]:
        """Begin a piece of work of `total` units: `with progress.task("embed", total=900, unit="photos") as task:`."""

    def note(self, text: str) -> None:
        """Show one line of text, such as a choice or a skill that is left out."""


class _Silent:
    """Progress that is not shown anywhere."""

    def advance(self, amount: int = 1) -> None:
        """Do nothing."""

    @contextmanager
    def task(self, name: str, *, total: int | None, unit: str) -> Iterator[Task]:
        """Begin a task that is not shown."""
        yield self

    def note(self, text: str) -> None:
        """Do nothing."""


SILENT: Progress = _Silent()


class _StoreTask:
    def __init__(self, owner: "StoreProgress", state: dict[str, object]) -> None:
        self._owner, self._state, self._done = owner, state, 0

    def advance(self, amount: int = 1) -> None:
        self._done += amount
        self._state["done"] = self._done
        self._owner.publish()


class _Courier(threading.Thread):
    """Thread that delivers in the background, at most once a second, and a last time before `close` returns.

    The work is not delayed by a slow store; updates that cannot be delivered are dropped.
    """

    def __init__(self, deliver: Callable[[], None]) -> None:
        super().__init__(name="progress", daemon=True)
        self._deliver = deliver
        self._called, self._closing = threading.Event(), threading.Event()
        self.start()

    def call(self) -> None:
        """Signal that the state has changed."""
        self._called.set()

    def close(self) -> None:
        """Deliver the last state and end."""
        self._closing.set()
        self.call()
        self.join()

    def run(self) -> None:
        """Deliver until closed."""
        last = False
        while not last:
            self._called.wait()
            self._called.clear()
            last = self._closing.is_set()
            with suppress(CoachworksError):
                self._deliver()
            self._closing.wait(_REMOTE_INTERVAL_S)


class StoreProgress:
    """Publishes a step's progress as one small JSON object, rewritten at most a few times a second.

    In a remote store it is written in the background, and failures to write are ignored.

    The object: `{"step", "lane", "state": "running" | "done" | "failed", "started_at", "updated_at", "notes": [str],
    "task": {"name", "done", "total", "unit", "started_at"} | null}`; times are seconds since the epoch.
    """

    def __init__(self, store: Store, key: str, *, step: str, lane: str = "") -> None:
        now = time.time()
        self._store, self._key, self._written_at = store, key, 0.0
        self._state: dict[str, object] = {
            "step": step,
            "lane": lane,
            "state": "running",
            "started_at": now,
            "updated_at": now,
            "notes": [],
            "task": None,
        }
        self._notes: list[str] = []
        self._courier = _Courier(self._write) if store.remote else None
        self.publish(force=True)

    @contextmanager
    def task(self, name: str, *, total: int | None, unit: str) -> Iterator[Task]:
        """Begin a piece of work; of several that overlap, the innermost is shown."""
        outer = self._state["task"]
        state: dict[str, object] = {"name": name, "done": 0, "total": total, "unit": unit, "started_at": time.time()}
        self._state["task"] = state
        self.publish(force=True)
        try:
            yield _StoreTask(self, state)
        finally:
            self.publish(force=True)
            self._state["task"] = outer

    def note(self, text: str) -> None:
        """Add a line to the notes."""
        self._notes.append(text)
        self._state["notes"] = self._notes
        self.publish(force=True)

    def close(self, state: str) -> None:
        """End the step as `done` or `failed`."""
        self._state.update(state=state, task=None)
        if self._courier is None:
            self._write()
        else:
            self._courier.close()

    def publish(self, *, force: bool = False) -> None:
        """Write the state, at most once per interval unless forced."""
        if self._courier is not None:
            self._courier.call()
        elif force or time.monotonic() - self._written_at >= _INTERVAL_S:
            self._write()

    def _write(self) -> None:
        self._written_at = time.monotonic()
        self._state["updated_at"] = time.time()
        write_record(self._store, self._key, self._state)
