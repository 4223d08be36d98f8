"""Who is deploying a release: one at a time, by a Lease that its holder renews and others take over when it runs out.

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
from coachworks.progress import SILENT, Progress
from components.deploy.cluster.namespace import Cluster

_VERSION = "coordination.k8s.io/v1"
_TRIES = 5  # to write over what others write at the same moment
_EVERY_S = 1.0
_GRACE = timedelta(seconds=2)  # the server's clock is known to the second only


class BusyError(CoachworksError):
    """Somebody else holds the lease.

    Attributes:
        holder: Who.
        since: Since when, or None where the lease does not say.
    """

    def __init__(self, message: str, *, holder: str, since: datetime | None) -> None:
        super().__init__(message)
        self.holder, self.since = holder, since


class LostError(CoachworksError):
    """The lease could not be renewed in time, or was taken away: somebody else may hold it now."""


@dataclass(frozen=True)
class _Term:
    """What a Lease says: who has it, since when, until when."""

    holder: str
    acquired: datetime | None
    ends: datetime

    @classmethod
    def of(cls, lease: Any) -> "_Term":
        spec = lease.get("spec") or {}
        renewed = _read(spec.get("renewTime")) or datetime.min.replace(tzinfo=UTC)
        duration = timedelta(seconds=int(spec.get("leaseDurationSeconds") or 0))
        return cls(str(spec.get("holderIdentity") or ""), _read(spec.get("acquireTime")), renewed + duration + _GRACE)


class Hold:
    """A lease that is held; `hold` makes it.

    Args:
        cluster: The cluster and namespace.
        release: The release.
        holder: Who we are.
        duration_s: How long it stays ours without renewal.
    """

    def __init__(self, cluster: Cluster, release: str, holder: str, duration_s: float) -> None:
        self._api = cluster.connection.hurried(duration_s / 3)
        self._release, self._duration_s = release, duration_s
        self._name = f"coachworks-{release}"
        self._folder = path_of(_VERSION, "leases", cluster.namespace)
        self._path = path_of(_VERSION, "leases", cluster.namespace, self._name)
        self._identity = f"{holder}_{uuid.uuid4().hex[:12]}"  # two of the same name are two
        self._lease: Any = None
        self._renewed_at = -math.inf
        self._taken_away = False
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease {self._name}", daemon=True)

    @property
    def lost(self) -> bool:
        """Whether it could not be renewed in time, or was taken away."""
        return self._taken_away or time.monotonic() - self._renewed_at > self._duration_s

    def check(self) -> None:
        """Make sure, by renewing it, that it is still held.

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

    def take(self) -> None:
        """Take it, and renew it from now on.

        Raises:
            BusyError: somebody else holds it.
        """
        for _ in range(_TRIES):
            with suppress(ConflictError):
                self._lease = self._taken()
                self._thread.start()
                return
        raise self._busy(_Term("somebody", None, self._api.now()))

    def release(self) -> None:
        """Give it back, for others to take at once."""
        self._over.set()
        self._thread.join()
        if not self.lost:
            meta = self._lease["metadata"]
            same = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
            with suppress(CoachworksError):
                self._api.delete(self._path, {"preconditions": same})

    def _taken(self) -> Any:
        """The lease, taken; ConflictError where others were faster."""
        started = time.monotonic()
        try:
            found = self._api.get(self._path)
        except NotFoundError:
            lease = {"apiVersion": _VERSION, "kind": "Lease", "metadata": {"name": self._name}}
            made = self._api.create(self._folder, {**lease, "spec": self._spec(self._api.now(), 0)})
        else:
            term = _Term.of(found)
            if term.holder and term.ends > self._api.now():
                raise self._busy(term)
            transitions = int((found.get("spec") or {}).get("leaseTransitions") or 0) + 1
            made = self._api.replace(self._path, {**found, "spec": self._spec(self._api.now(), transitions)})
        self._renewed_at = started
        return made

    def _spec(self, acquired: datetime, transitions: int) -> dict[str, Any]:
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": math.ceil(self._duration_s),
            "acquireTime": _written(acquired),
            "renewTime": _written(self._api.now()),
            "leaseTransitions": transitions,
        }

    def _keep(self) -> None:
        """Renew it, until it is over."""
        while not self._over.wait(self._duration_s / 3):
            with suppress(CoachworksError):
                self._renew()

    def _renew(self) -> None:
        """Renew it once, whoever else wrote to it in the meantime, as long as it names us."""
        with self._lock:
            for _ in range(_TRIES):
                if self._taken_away or self._over.is_set():
                    return
                started = time.monotonic()
                spec = {**self._lease["spec"], "renewTime": _written(self._api.now())}
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
            self._taken_away = _Term.of(self._lease).holder != self._identity

    def _busy(self, term: _Term) -> BusyError:
        holder = term.holder.rpartition("_")[0] or term.holder
        since = f" since {term.acquired:%Y-%m-%d %H:%M:%S} UTC" if term.acquired else ""
        left = max(1, math.ceil((term.ends - self._api.now()).total_seconds()))
        return BusyError(
            f"the release {self._release!r} is being changed by {holder}{since}. Wait until that is done; if it was "
            f"killed, its lease {self._name} runs out in {left} s.",
            holder=holder,
            since=term.acquired,
        )


@contextmanager
def hold(
    cluster: Cluster,
    release: str,
    holder: str,
    *,
    duration_s: float = 30,
    wait_s: float = 0,
    progress: Progress = SILENT,
) -> Iterator[Hold]:
    """Hold the Lease `coachworks-<release>` for the time of the `with` block.

    Args:
        cluster: The cluster and namespace.
        release: The release.
        holder: Who we are, for others to read: `ann@laptop`.
        duration_s: How long it stays ours without renewal: a killed holder keeps others away no longer.
        wait_s: How long to wait for it where somebody else holds it; 0: not at all.
        progress: Is told who is waited for.

    Raises:
        BusyError: somebody else holds it.
        InvalidConfigError: we may not make leases in the namespace.
        TransientError: the API server does not answer.
    """
    held, end, told = Hold(cluster, release, holder, duration_s), time.monotonic() + wait_s, False
    while True:
        try:
            held.take()
            break
        except BusyError as err:
            if time.monotonic() >= end:
                raise
            if not told:
                progress.note(f"waiting up to {wait_s:.0f} s: {err}")
                told = True
        time.sleep(_EVERY_S)
    try:
        yield held
    finally:
        held.release()


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _read(text: Any) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None
