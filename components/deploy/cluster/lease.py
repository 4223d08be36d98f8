"""Lock on a release, so that one deployer changes it at a time: a Lease that expires when its holder stops renewing it.

Times are those of the API server's clock, so that machines whose clocks differ agree.
"""

import math
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from coachworks.errors import CoachworksError, NotFoundError, TransientError
from coachworks.kubernetes_api import ConflictError, path_of
from components.deploy.cluster.namespace import Cluster

_VERSION = "coordination.k8s.io/v1"
_ATTEMPTS = 5  # of a write that conflicts with other clients' writes
_GRACE = timedelta(seconds=2)  # the Date header, by which time is measured, has a resolution of one second


class BusyError(CoachworksError):
    """Another deployer holds the lease."""


class LostError(CoachworksError):
    """The lease was not renewed in time, or was removed or taken over: another deployer may hold it now."""


@dataclass(frozen=True)
class _LeaseState:
    """Holder of a Lease, with the times of its acquisition and expiry."""

    holder: str
    acquired: datetime | None
    expires: datetime

    @classmethod
    def of(cls, lease: Any) -> "_LeaseState":
        spec = lease.get("spec") or {}
        renewed = _parse(spec.get("renewTime")) or datetime.min.replace(tzinfo=UTC)
        duration = timedelta(seconds=int(spec.get("leaseDurationSeconds") or 0))
        return cls(str(spec.get("holderIdentity") or ""), _parse(spec.get("acquireTime")), renewed + duration + _GRACE)


class LeaseLock:
    """Lock on a release by its Lease `coachworks-<release>`; see `hold_lease`.

    Args:
        cluster: The release.
        holder: Name of the deployer.
        duration_s: Seconds after the last renewal at which the lease expires.
    """

    def __init__(self, cluster: Cluster, holder: str, duration_s: float) -> None:
        # A renewal is due every third of the duration: a request that takes longer is of no use.
        self._api = cluster.connection.with_timeout(duration_s / 3)
        self._release, self._duration_s = cluster.release, duration_s
        self._name = f"coachworks-{cluster.release}"
        self._collection = path_of(_VERSION, "leases", cluster.namespace)
        self._path = path_of(_VERSION, "leases", cluster.namespace, self._name)
        self._identity = f"{holder}_{uuid.uuid4().hex[:12]}"  # tells two processes of the same person apart
        self._lease: Any = None
        self._renewed_at = -math.inf
        self._taken_away = False
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._keep_renewing, name=f"lease {self._name}", daemon=True)

    @property
    def lost(self) -> bool:
        """True if the lease was not renewed in time, or was removed or taken over."""
        return self._taken_away or time.monotonic() - self._renewed_at > self._duration_s

    def check(self) -> None:
        """Renew the lease to make sure that it is still held.

        Raises:
            LostError: it is not.
        """
        with suppress(TransientError):
            self._renew()
        if self.lost:
            raise LostError(
                f"the lease {self._name} was lost: the API server could not be reached for {self._duration_s:.0f} s, "
                "or somebody removed it, and another deployer may be at work. Nothing more was changed; deploy again."
            )

    def acquire(self) -> None:
        """Acquire the lease, and renew it in the background from now on.

        Raises:
            BusyError: another deployer holds it.
        """
        for _ in range(_ATTEMPTS):
            with suppress(ConflictError):
                self._lease = self._write_acquired()
                self._thread.start()
                return
        raise self._busy(_LeaseState("somebody", None, self._api.now()))

    def unlock(self) -> None:
        """Stop renewing the lease and delete it, so that others can acquire it at once."""
        self._stopped.set()
        self._thread.join()
        if not self.lost:
            meta = self._lease["metadata"]
            preconditions = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
            with suppress(CoachworksError):
                self._api.delete(self._path, {"preconditions": preconditions})

    def _write_acquired(self) -> Any:
        """Return the lease as acquired by us.

        Raises:
            ConflictError: another deployer acquired it in the meantime.
        """
        started = time.monotonic()
        try:
            existing = self._api.get(self._path)
        except NotFoundError:
            lease = {"apiVersion": _VERSION, "kind": "Lease", "metadata": {"name": self._name}}
            acquired = self._api.create(self._collection, {**lease, "spec": self._spec(self._api.now(), 0)})
        else:
            state = _LeaseState.of(existing)
            if state.holder and state.expires > self._api.now():
                raise self._busy(state)
            transitions = int((existing.get("spec") or {}).get("leaseTransitions") or 0) + 1
            acquired = self._api.replace(self._path, {**existing, "spec": self._spec(self._api.now(), transitions)})
        self._renewed_at = started
        return acquired

    def _spec(self, acquired: datetime, transitions: int) -> dict[str, Any]:
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": math.ceil(self._duration_s),
            "acquireTime": _format(acquired),
            "renewTime": _format(self._api.now()),
            "leaseTransitions": transitions,
        }

    def _keep_renewing(self) -> None:
        while not self._stopped.wait(self._duration_s / 3):
            with suppress(CoachworksError):
                self._renew()

    def _renew(self) -> None:
        """Renew the lease once, over other clients' changes, as long as it names us as holder."""
        with self._lock:
            for _ in range(_ATTEMPTS):
                if self._taken_away or self._stopped.is_set():
                    return
                started = time.monotonic()
                spec = {**self._lease["spec"], "renewTime": _format(self._api.now())}
                try:
                    self._lease = self._api.replace(self._path, {**self._lease, "spec": spec})
                except (ConflictError, NotFoundError):
                    self._read_again()
                else:
                    self._renewed_at = started
                    return

    def _read_again(self) -> None:
        try:
            self._lease = self._api.get(self._path)
        except NotFoundError:
            self._taken_away = True
        else:
            self._taken_away = _LeaseState.of(self._lease).holder != self._identity

    def _busy(self, state: _LeaseState) -> BusyError:
        holder = state.holder.rpartition("_")[0] or state.holder
        since = f" since {state.acquired:%Y-%m-%d %H:%M:%S} UTC" if state.acquired else ""
        left_s = max(1, math.ceil((state.expires - self._api.now()).total_seconds()))
        return BusyError(
            f"the release {self._release!r} is being changed by {holder}{since}. Wait until that is done; if it was "
            f"killed, its lease {self._name} expires in {left_s} s."
        )


@contextmanager
def hold_lease(cluster: Cluster, holder: str, *, duration_s: float = 30) -> Iterator[LeaseLock]:
    """Hold the lease of a release for the duration of the `with` block.

    Args:
        cluster: The release.
        holder: Name of the deployer, shown to others: `ann@laptop`.
        duration_s: Seconds without renewal after which others may take over from a killed holder.

    Raises:
        BusyError: another deployer holds the lease.
        InvalidConfigError: no right to create Leases in the namespace.
        TransientError: the API server does not answer.
    """
    lock = LeaseLock(cluster, holder, duration_s)
    lock.acquire()
    try:
        yield lock
    finally:
        lock.unlock()


def _format(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _parse(text: Any) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None
