"""Questions to one pod, through Kubernetes' port-forward: no Service, no other pod in between."""

import http.client
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from coachworks.errors import TransientError
from components.deploy.cluster.namespace import Cluster
from components.deploy.cluster.portforward import Tunnel

_CUT = (http.client.RemoteDisconnected, ConnectionError)  # before a byte of an answer came


@dataclass(frozen=True)
class Reply:
    """What a pod answered.

    Attributes:
        status: The HTTP status.
        body: The body.
        seconds: How long it took.
        headers: The headers, by lower-case name.
    """

    status: int
    body: bytes
    seconds: float
    headers: Mapping[str, str] = field(default_factory=dict)


class Conversation:
    """Several requests to one pod over one connection, which is opened anew where the pod has closed it.

    Args:
        cluster: The cluster and namespace.
        pod: Name of the pod.
        port: The port.
        timeout_s: Longest wait for one answer.
    """

    def __init__(self, cluster: Cluster, pod: str, *, port: int = 3000, timeout_s: float = 30) -> None:
        self._cluster, self._pod, self._port, self._timeout_s = cluster, pod, port, timeout_s
        self._connection: _Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._close()

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        """One request.

        Raises:
            TransientError: the pod, or the API server, does not answer.
            NotFoundError: there is no such pod.
            InvalidConfigError: we may not.
        """
        used = self._connection is not None and self._connection.sock is not None
        try:
            return self._ask(method, path, body, headers)
        except _CUT as err:
            self._close()
            if not used:
                raise self._silent(err) from err
        except (OSError, http.client.HTTPException) as err:
            self._close()
            raise self._silent(err) from err
        try:  # the pod closed the connection after the answer before
            return self._ask(method, path, body, headers)
        except (OSError, http.client.HTTPException) as err:
            self._close()
            raise self._silent(err) from err

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None) -> Reply:
        if self._connection is None:
            self._connection = _Connection(self._cluster, self._pod, self._port)
        started = time.monotonic()
        self._connection.until(started + self._timeout_s)
        self._connection.request(method, path, body, dict(headers or {}))
        answer = self._connection.getresponse()
        content = answer.read()
        seconds = time.monotonic() - started
        return Reply(answer.status, content, seconds, {name.lower(): value for name, value in answer.getheaders()})

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
        self._connection = None

    def _silent(self, err: Exception) -> TransientError:
        said = f"in {self._timeout_s:.0f} s" if isinstance(err, TimeoutError) else f"({err or type(err).__name__})"
        return TransientError(f"the pod {self._pod} does not answer on port {self._port} {said}.")


class _Connection(http.client.HTTPConnection):
    """HTTP over a tunnel to a pod."""

    def __init__(self, cluster: Cluster, pod: str, port: int) -> None:
        super().__init__("localhost", port)
        self._cluster, self._pod, self._deadline = cluster, pod, 0.0

    def until(self, deadline: float) -> None:
        """Wait no longer than until then (by the monotonic clock)."""
        self._deadline = deadline
        if isinstance(self.sock, Tunnel):
            self.sock.deadline = deadline

    def connect(self) -> None:
        """Open the tunnel."""
        self.sock = Tunnel(  # what http.client asks of a socket, and no more
            self._cluster.connection, self._cluster.namespace, self._pod, int(self.port), self._deadline
        )


def ask(
    cluster: Cluster,
    pod: str,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    port: int = 3000,
    timeout_s: float = 30,
) -> Reply:
    """One request over a connection of its own; see `Conversation.ask`."""
    with Conversation(cluster, pod, port=port, timeout_s=timeout_s) as conversation:
        return conversation.ask(method, path, body, headers)
