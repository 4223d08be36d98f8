"""The open connections of a process, on all its ports: their limits, their number, and the ones that wait in vain."""

import asyncio
import logging
import resource
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from serving.metrics import ServiceMetrics
from serving.settings import ServingSettings

logger = logging.getLogger(__name__)

_SWEEP_S = 0.5
_OTHER_DESCRIPTORS = 256  # models, logs, pipes and sockets of the process besides its clients' connections
_FEWEST = 16


class Closed(StrEnum):
    """Reason why the service closed a connection before its client did."""

    SILENT = "silent"
    CROWDED_OUT = "crowded-out"
    UNREAD_ANSWER = "unread-answer"
    UNREAD_BODY = "unread-body"


class Waiting(Protocol):
    """A connection, as its registry sees it."""

    def waiting_since(self) -> float | None:
        """Return since when the service waits for this client, by the loop's clock; None: the client waits."""

    def check(self, now: float) -> None:
        """Close the connection if its client has exceeded a time limit."""

    def drop(self, reason: Closed) -> None:
        """Close the connection without an answer."""


@dataclass(eq=False)
class OpenConnections:
    """The open connections, checked against their time limits twice a second.

    Attributes:
        settings: Limits of the service.
        metrics: Metrics to update.
        limit: Largest number of connections: `max_connections`, or less where the process may open fewer files.
    """

    settings: ServingSettings
    metrics: ServiceMetrics
    limit: int = field(init=False)
    _open: set[Waiting] = field(default_factory=set, init=False)
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.limit = _affordable(self.settings.max_connections)

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Waiting) -> bool:
        """Add a new connection, in place of the one that has waited longest for its client if there are too many.

        Returns:
            Whether there is room; False if every client is waiting for an answer.
        """
        room = True
        if len(self._open) >= self.limit:
            silent = [(since, id(each), each) for each in self._open if (since := each.waiting_since()) is not None]
            room = bool(silent)
            if silent:
                min(silent)[2].drop(Closed.CROWDED_OUT)
        self._open.add(connection)
        self._count()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep)
        return room

    def remove(self, connection: Waiting) -> None:
        """Remove a connection that is closed."""
        self._open.discard(connection)
        self._count()

    def closed(self, reason: Closed) -> None:
        """Count a connection that the service closes."""
        self.metrics.closed_connections.labels(reason).inc()

    def _count(self) -> None:
        self.metrics.connections.set(len(self._open))

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_SWEEP_S, self._sweep) if self._open else None  # first: a check may fail
        now = loop.time()
        for connection in list(self._open):
            connection.check(now)


def _affordable(configured: int) -> int:
    """Raise the process's limit on open files for `configured` connections; return how many there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = configured + _OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return configured
    affordable = max(soft - _OTHER_DESCRIPTORS, _FEWEST)
    logger.warning(
        "max_connections is %d, but the limit on open files (ulimit -n) is %d: at most %d connections are kept open",
        configured,
        soft,
        affordable,
    )
    return affordable
