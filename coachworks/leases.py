"""Leases on a store: one run of a fleet at a time, on whatever machine; the lease of a killed holder ends by itself.

A lease is a sequence of objects `leases/<name>/<number>.json`, each created by one conditional write; the one with the
highest number counts. Its holder rewrites that object every few seconds. A lease is free if its holder ended it, if
its process is gone from this machine, or if it was not rewritten for two minutes. Ages are differences between two
times of the store itself, so that clocks of machines do not have to agree. The next holder creates the next number,
which only one can do; the highest number is never deleted, so that no number is used twice.
"""

import getpass
import json
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from coachworks.errors import CoachworksError, NotFoundError
from coachworks.store import Process, Store, this_process
from coachworks.wording import local_time

EXPIRES_AFTER = timedelta(seconds=120)
_RENEWAL_S = 20.0
_ROOT = "leases"
_ATTEMPTS = 5


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The content of a lease.

    Attributes:
        id: Random, of this acquisition.
        work: What the holder does, such as `run 20260102-030405-1a2b3c`.
        user: Name of the user.
        host: Name of the machine.
        process: The process that does it.
        since: Time of the acquisition, in seconds since the epoch.
        renewals: How often it was renewed.
        ended: Whether the holder has ended it.
    """

    id: str
    work: str
    user: str
    host: str
    process: Process
    since: float
    renewals: int = 0
    ended: bool = False

    @property
    def who(self) -> str:
        """Work, user, machine and start, for people."""
        where = f"{self.user} on {self.host} (process {self.process.pid})"
        return f"{self.work}, by {where} since {local_time(datetime.fromtimestamp(self.since, UTC))}"

    @property
    def way_to_stop(self) -> str:
        """Sentence part that says how the holder is stopped."""
        stop = f"`kill {self.process.pid}` stops it"
        if self.process.is_here:
            return stop
        return f"{stop} on {self.host}; if that machine was lost, it ends by itself in {EXPIRES_AFTER.seconds} s"

    def to_bytes(self) -> bytes:
        """Return the content of its object."""
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Holder":
        """Read the content of its object."""
        fields = json.loads(data)
        return cls(**{**fields, "process": Process(**fields["process"])})


class HeldError(CoachworksError):
    """Another process holds the lease.

    Attributes:
        holder: That process and its work; None where it is a run on a cluster.
    """

    exit_status = 5

    def __init__(self, message: str, holder: Holder | None = None) -> None:
        super().__init__(message)
        self.holder = holder


class Lease:
    """A lease that this process holds; see `acquire`.

    Args:
        store: The store.
        name: Name of the lease.
        number: Number of its object.
        holder: This process and its work.
    """

    def __init__(self, store: Store, name: str, number: int, holder: Holder) -> None:
        self._store, self._name, self._number, self._holder = store, name, number, holder
        self._lock, self._stopped = threading.Lock(), threading.Event()

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """Renew the lease in the background for the duration of the block, and end it then."""
        thread = threading.Thread(target=self._keep_renewing, name=f"lease {self._name}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.end()

    def end(self) -> None:
        """End the lease, so that others can acquire it at once; nothing happens if another process holds it now."""
        self._stopped.set()
        with self._lock, suppress(CoachworksError, OSError):  # it ends by itself after a while
            self._write(ended=True)

    def _keep_renewing(self) -> None:
        while not self._stopped.wait(_RENEWAL_S):
            with self._lock, suppress(CoachworksError, OSError):
                if not self._stopped.is_set():
                    self._write(renewals=self._holder.renewals + 1)

    def _write(self, *, renewals: int = 0, ended: bool = False) -> None:
        newest = _newest(self._store, self._name)
        if newest is None or newest.holder is None or newest.holder.id != self._holder.id:
            return
        self._holder = replace(newest.holder, renewals=renewals or newest.holder.renewals, ended=ended)
        self._store.write(newest.key, self._holder.to_bytes())


@dataclass(frozen=True)
class _Entry:
    """The newest object of a lease; `holder` is None if its content is damaged."""

    key: str
    number: int
    holder: Holder | None


def run_lease(fleet: str) -> str:
    """Return the name of the lease of a fleet's runs."""
    return f"runs/{fleet}"


def acquire(store: Store, name: str, work: str) -> Lease:
    """Acquire a lease for this process; see `Lease.renewed`.

    Args:
        store: The store.
        name: Name of the lease: a path of one or two parts.
        work: What it is acquired for, for others to read.

    Raises:
        HeldError: another process holds it.
    """
    holder = _holder(work)
    for _ in range(_ATTEMPTS):
        entry = _newest(store, name)
        if entry is not None and entry.holder is not None and _is_alive(store, entry):
            raise HeldError(f"{entry.holder.who} is in progress on {store.uri}.", entry.holder)
        number = entry.number + 1 if entry else 1
        key = _key(name, number)
        if not store.create(key, holder.to_bytes()):
            continue
        entry = _newest(store, name)
        if entry is None or entry.number == number:
            _remove_below(store, name, number)
            return Lease(store, name, number, holder)
        store.remove(key)  # others acquired and ended it since the first look
    raise HeldError(f"several processes want to begin at once on {store.uri}. Run again.")


def adopt(store: Store, name: str, work: str) -> Lease:
    """Take over, for this process, the lease that its parent has acquired for the same work.

    Raises:
        HeldError: another process holds it by now.
    """
    entry = _newest(store, name)
    if entry is None or entry.holder is None or entry.holder.work != work or entry.holder.ended:
        who = f": {entry.holder.who}" if entry and entry.holder and not entry.holder.ended else ""
        raise HeldError(f"the lease of {work} on {store.uri} was taken over meanwhile{who}. Run again.")
    holder = replace(entry.holder, process=this_process(), host=platform.node(), user=_user())
    store.write(entry.key, holder.to_bytes())
    return Lease(store, name, entry.number, holder)


def holder_of(store: Store, name: str) -> Holder | None:
    """Return who holds a lease; None if it is free."""
    entry = _newest(store, name)
    return entry.holder if entry is not None and entry.holder is not None and _is_alive(store, entry) else None


def holders_below(store: Store, prefix: str) -> list[Holder]:
    """Return who holds the leases whose names begin with the part `prefix`."""
    names = {key.removeprefix(f"{_ROOT}/").rpartition("/")[0] for key in store.list(f"{_ROOT}/{prefix}")}
    return [holder for name in sorted(names) if (holder := holder_of(store, name)) is not None]


def seems_held(store: Store, name: str, work: str, margin: timedelta = timedelta(minutes=10)) -> bool:
    """Return whether a lease may still be held for `work`, without writing to the store.

    The age is measured with the clock of this machine; `margin` allows for its difference from the store's.
    """
    entry = _newest(store, name)
    if entry is None or entry.holder is None or entry.holder.work != work or entry.holder.ended:
        return False
    if entry.holder.process.is_here:
        return entry.holder.process.runs
    with suppress(NotFoundError):
        return time.time() - store.info(entry.key).written_at.timestamp() < (EXPIRES_AFTER + margin).total_seconds()
    return False


def wait_until(attempt: Callable[[], Lease], waiting: Callable[[HeldError], None], every_s: float = 2.0) -> Lease:
    """Return what `attempt` acquires, tried again while another process holds it.

    Args:
        attempt: Acquires the lease, or raises a HeldError.
        waiting: Called with each error.
        every_s: Seconds between two attempts.
    """
    while True:
        try:
            return attempt()
        except HeldError as err:
            waiting(err)
            time.sleep(every_s)


def _is_alive(store: Store, entry: _Entry) -> bool:
    holder = entry.holder
    if holder is None or holder.ended:
        return False
    if holder.process.is_here:
        return holder.process.runs
    clock = f"{_ROOT}/clock"
    store.write(clock, uuid.uuid4().hex.encode())
    try:
        return store.info(clock).written_at - store.info(entry.key).written_at < EXPIRES_AFTER
    except NotFoundError:  # the next holder has removed it: the next look finds that one
        return False


def _newest(store: Store, name: str) -> _Entry | None:
    for key in sorted(store.list(f"{_ROOT}/{name}"), reverse=True):
        number = key.rpartition("/")[2].removesuffix(".json")
        if not (key.endswith(".json") and number.isdigit()):
            continue
        try:
            return _Entry(key, int(number), Holder.from_bytes(store.read(key)))
        except NotFoundError:
            return _newest(store, name)  # removed by the next holder since the listing
        except (ValueError, TypeError, KeyError):
            return _Entry(key, int(number), None)
    return None


def _remove_below(store: Store, name: str, number: int) -> None:
    for key in store.list(f"{_ROOT}/{name}"):
        if key < _key(name, number):
            with suppress(CoachworksError, OSError):
                store.remove(key)


def _key(name: str, number: int) -> str:
    return f"{_ROOT}/{name}/{number:09}.json"


def _holder(work: str) -> Holder:
    return Holder(
        id=uuid.uuid4().hex,
        work=work,
        user=_user(),
        host=platform.node(),
        process=this_process(),
        since=time.time(),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without an entry
        return "somebody"
