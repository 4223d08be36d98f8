"""Progress of long work: one interface, shown on a terminal or published to the store for whoever follows the run."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Protocol, TypeVar

from coachworks.errors import CoachworksError
from coachworks.store import Store

T = TypeVar("T")
_INTERVAL_S = 0.3  # often enough to look alive, seldom enough to cost nothing
_REMOTE_INTERVAL_S = 1.0


class Task(Protocol):
    """One piece of long work under way."""

    def advance(self, amount: int = 1) -> None:
        """`amount` more units are done."""


class Progress(Protocol):
    """Where long work reports to."""

    def task(self, name: str, *, total: int | None, unit: str) -> AbstractContextManager[Task]:
        """A piece of work of `total` units: `with progress.task("embed", total=900, unit="photos") as task:`."""

    def note(self, text: str) -> None:
        """A fact worth a line: what was reused, chosen or left out."""


def tracked(items: Iterable[T], task: Task) -> Iterator[T]:
    """`items`, each counted on `task` once it is done with."""
    for item in items:
        yield item
        task.advance()


class _Silent:
    """Reports to nobody."""

    def advance(self, amount: int = 1) -> None:
        """Nothing."""

    @contextmanager
    def task(self, name: str, *, total: int | None, unit: str) -> Iterator[Task]:
        """A task nobody sees."""
        yield self

    def note(self, text: str) -> None:
        """Nothing."""


SILENT: Progress = _Silent()


class _StoreTask:
    def __init__(self, owner: "StoreProgress", state: dict[str, object]) -> None:
        self._owner, self._state, self._done = owner, state, 0

    def advance(self, amount: int = 1) -> None:
        self._done += amount
        self._state["done"] = self._done
        self._owner.publish()


class _Courier(threading.Thread):
    """Delivers in the background, at most once a second, and the last time before `close` returns.

    The work goes on meanwhile, however slow the store is; what cannot be delivered is dropped.
    """

    def __init__(self, deliver: Callable[[], None]) -> None:
        super().__init__(name="progress", daemon=True)
        self._deliver = deliver
        self._called, self._closing = threading.Event(), threading.Event()
        self.start()

    def call(self) -> None:
        """There is something new."""
        self._called.set()

    def close(self) -> None:
        """Deliver what is new for the last time."""
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

    Where the store is remote, that is done in the background, and a failure to do it is nobody's.

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
        """A piece of work; when several overlap, the innermost is shown."""
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
        """A fact worth a line."""
        self._notes.append(text)
        self._state["notes"] = self._notes
        self.publish(force=True)

    def close(self, state: str) -> None:
        """The step is over: `done` or `failed`."""
        self._state.update(state=state, task=None)
        if self._courier is None:
            self._write()
        else:
            self._courier.close()

    def publish(self, *, force: bool = False) -> None:
        """Write the state, unless that was done a moment ago."""
        if self._courier is not None:
            self._courier.call()
        elif force or time.monotonic() - self._written_at >= _INTERVAL_S:
            self._write()

    def _write(self) -> None:
        self._written_at = time.monotonic()
        self._state["updated_at"] = time.time()
        self._store.write(self._key, json.dumps(self._state).encode())
