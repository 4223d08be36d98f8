"""HTTP requests to one pod through a port-forward: no Service and no other pod in between."""

import http.client
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from coachworks.errors import TransientError
from components.deploy.cluster.namespace import Cluster
from components.deploy.cluster.portforward import PortForward

_DISCONNECTED = (http.client.RemoteDisconnected, ConnectionError)  # before the first byte of a response


@dataclass(frozen=True)
class Response:
    """Response of a pod.

    Attributes:
        status: HTTP status.
        body: Body.
        seconds: Duration of the request.
        headers: Headers by lower-case name.
    """

    status: int
    body: bytes
    seconds: float
    headers: Mapping[str, str] = field(default_factory=dict)


class PodClient:
    """HTTP client of one pod, to be used as a context manager.

    Requests share one connection, which is opened again after the pod has closed it.

    Args:
        cluster: The release.
        pod: Name of the pod.
        port: Port of the pod.
        timeout_s: Longest duration of one request in seconds.
    """

    def __init__(self, cluster: Cluster, pod: str, *, port: int = 3000, timeout_s: float = 30) -> None:
        self._cluster, self._pod, self._port, self._timeout_s = cluster, pod, port, timeout_s
        self._connection: _Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._close()

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send a request and return the response, whatever its status.

        Raises:
            TransientError: the pod, or the API server, does not answer.
            NotFoundError: there is no such pod.
            InvalidConfigError: no right to forward ports.
        """
        reused = self._connection is not None and self._connection.sock is not None
        try:
            return self._send(method, path, body, headers)
        except _DISCONNECTED as err:
            self._close()
            if not reused:
                raise self._no_answer(err) from err
        except (OSError, http.client.HTTPException) as err:
            self._close()
            raise self._no_answer(err) from err
        try:  # the pod closed the connection after an earlier response
            return self._send(method, path, body, headers)
        except (OSError, http.client.HTTPException) as err:
            self._close()
            raise self._no_answer(err) from err

    def _send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None) -> Response:
        if self._connection is None:
            self._connection = _Connection(self._cluster, self._pod, self._port)
        started = time.monotonic()
        self._connection.set_deadline(started + self._timeout_s)
        self._connection.request(method, path, body, dict(headers or {}))
        response = self._connection.getresponse()
        content = response.read()
        seconds = time.monotonic() - started
        names = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, content, seconds, names)

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
        self._connection = None

    def _no_answer(self, err: Exception) -> TransientError:
        cause = f"in {self._timeout_s:.0f} s" if isinstance(err, TimeoutError) else f"({err or type(err).__name__})"
        return TransientError(f"the pod {self._pod} does not answer on port {self._port} {cause}.")


class _Connection(http.client.HTTPConnection):
    """HTTP connection over a port-forward."""

    def __init__(self, cluster: Cluster, pod: str, port: int) -> None:
        super().__init__("localhost", port)
        self._cluster, self._pod, self._deadline = cluster, pod, 0.0

    def set_deadline(self, deadline: float) -> None:
        """Set the deadline of the next request, on the monotonic clock."""
        self._deadline = deadline
        if isinstance(self.sock, PortForward):
            self.sock.deadline = deadline

    def connect(self) -> None:
        """Open the port-forward in place of a socket."""
        self.sock = PortForward(
            self._cluster.connection, self._cluster.namespace, self._pod, int(self.port), self._deadline
        )
