"""HTTP requests to one pod through a port-forward: no Service and no other pod in between."""

import http.client
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Self

from coachworks.errors import InvalidConfigError, TransientError
from coachworks.tls import client_context
from components.deploy.cluster.namespace import Cluster
from components.deploy.cluster.pod_access import OPEN, PodAccess
from components.deploy.cluster.portforward import PortForward
from components.deploy.cluster.tls_forward import TlsForward

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
        access: API keys and certificates, for pods that ask for them.
        port: Port of the pod.
        timeout_s: Longest duration of one request in seconds.
    """

    def __init__(
        self, cluster: Cluster, pod: str, *, access: PodAccess = OPEN, port: int = 3000, timeout_s: float = 30
    ) -> None:
        self._cluster, self._pod, self._port, self._timeout_s = cluster, pod, port, timeout_s
        self._access, self._keys = access, list(access.keys)
        self._connection: _Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._close()

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send a request and return the response, whatever its status.

        Of several API keys, those that the pod does not accept are not sent again: a pod reads a changed Secret after
        a minute.

        Raises:
            TransientError: the pod, or the API server, does not answer.
            NotFoundError: there is no such pod.
            InvalidConfigError: no right to forward ports, or the pod's certificate cannot be verified.
        """
        while True:
            response = self._request(method, path, body, {**(headers or {}), **self._key()})
            if response.status != HTTPStatus.UNAUTHORIZED or len(self._keys) <= 1:
                return response
            del self._keys[0]

    def verify_names(self) -> None:
        """Verify the pod's certificate by the name of every Service that selects it; nothing without TLS.

        Raises:
            InvalidConfigError: it is not valid for one of them.
            TransientError: the pod, or the API server, does not answer.
        """
        for name in self._access.names:
            connection = _Connection(self._cluster, self._pod, self._port, self._access, name)
            connection.set_deadline(time.monotonic() + self._timeout_s)
            try:
                connection.connect()
            except ssl.SSLCertVerificationError as err:
                raise self._unverified(err, name) from err
            except OSError as err:
                raise self._no_answer(err) from err
            finally:
                connection.close()

    def _key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._keys[0]}"} if self._keys else {}

    def _request(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Response:
        reused = self._connection is not None and self._connection.sock is not None
        try:
            return self._send(method, path, body, headers)
        except _DISCONNECTED as err:
            self._close()
            if not reused:
                raise self._no_answer(err) from err
        except ssl.SSLCertVerificationError as err:
            self._close()
            raise self._unverified(err, self._access.names[0]) from err
        except (OSError, http.client.HTTPException) as err:
            self._close()
            raise self._no_answer(err) from err
        try:  # the pod closed the connection after an earlier response
            return self._send(method, path, body, headers)
        except (OSError, http.client.HTTPException) as err:
            self._close()
            raise self._no_answer(err) from err

    def _send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Response:
        if self._connection is None:
            name = self._access.names[0] if self._access.authority else ""
            self._connection = _Connection(self._cluster, self._pod, self._port, self._access, name)
        started = time.monotonic()
        self._connection.set_deadline(started + self._timeout_s)
        self._connection.request(method, path, body, dict(headers))
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

    def _unverified(self, err: ssl.SSLCertVerificationError, name: str) -> InvalidConfigError:
        return InvalidConfigError(
            f"the certificate of the pod {self._pod} must be valid for {name}: {err.verify_message.rstrip('.')}. Issue "
            "one with the names of all Services of the release, into the Secret of tls.existingSecret."
        )

    def _no_answer(self, err: Exception) -> TransientError:
        cause = f"in {self._timeout_s:.0f} s" if isinstance(err, TimeoutError) else f"({err or type(err).__name__})"
        return TransientError(f"the pod {self._pod} does not answer on port {self._port} {cause}.")


class _Connection(http.client.HTTPConnection):
    """HTTP connection over a port-forward, with TLS where the pod speaks it."""

    def __init__(self, cluster: Cluster, pod: str, port: int, access: PodAccess, name: str) -> None:
        super().__init__("localhost", port)
        self._cluster, self._pod, self._deadline = cluster, pod, 0.0
        self._access, self._name = access, name

    def set_deadline(self, deadline: float) -> None:
        """Set the deadline of the next request, on the monotonic clock."""
        self._deadline = deadline
        if isinstance(self.sock, PortForward | TlsForward):
            self.sock.deadline = deadline

    def connect(self) -> None:
        """Open the port-forward in place of a socket."""
        forward = PortForward(
            self._cluster.connection, self._cluster.namespace, self._pod, int(self.port), self._deadline
        )
        if self._access.authority:
            self.sock = TlsForward(forward, client_context(data=self._access.authority), self._name)
        else:
            self.sock = forward
