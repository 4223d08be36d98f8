"""Port-forward: a TCP connection to a port of a pod, carried through the API server by a websocket.

The `kubernetes` package has one, but it waits forever for an API server that does not answer, and prints from a
thread of its own when a pod goes away.
"""

import io
import json
import ssl
import time
from contextlib import suppress
from typing import Any, Protocol

from coachworks.kubernetes_api import Connection, path_of
from coachworks.kubernetes_api.failures import translation

_PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = b"\0", b"\1"  # channels of the first port
_CHUNK_BYTES = 128 * 1024
_MIN_TIMEOUT_S = 0.001  # a timeout of 0 would make the websocket non-blocking


class PortForward:
    """Connection to a port of a pod, with as much of a socket's interface as `http.client` uses.

    Args:
        connection: The API server.
        namespace: Namespace of the pod.
        pod: Name of the pod.
        port: The port.
        deadline: Time on the monotonic clock after which every operation fails.

    Attributes:
        deadline: The same; may be set for each request.
    """

    def __init__(self, connection: Connection, namespace: str, pod: str, port: int, deadline: float) -> None:
        self.deadline = deadline
        path = f"{path_of('v1', 'pods', namespace, pod, 'portforward')}?ports={port}"
        self._websocket = _open(connection, path, self._time_left())
        self._open_channels: set[bytes] = set()
        self._data, self._ended = b"", False
        self._files, self._closed = 0, False

    def sendall(self, data: Any) -> None:
        """Send bytes to the pod."""
        from websocket import ABNF, WebSocketException

        view = memoryview(data).cast("B")
        self._websocket.settimeout(self._time_left())
        try:
            for start in range(0, len(view), _CHUNK_BYTES):
                self._websocket.send(_DATA + bytes(view[start : start + _CHUNK_BYTES]), ABNF.OPCODE_BINARY)
        except WebSocketException as err:
            raise _as_socket_error(err) from err

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return a file to read a response from."""
        assert mode == "rb"  # noqa: S101 — the only mode that http.client uses
        self.open_file()
        return io.BufferedReader(Reader(self))

    def receive(self, most: int) -> bytes:
        """Return up to `most` bytes from the pod; none after it has closed the connection.

        Raises:
            ConnectionRefusedError: nothing listens on the port.
            TimeoutError: the deadline has passed.
        """
        while not self._data and not self._ended:
            self._receive_frame()
        data, self._data = self._data[:most], self._data[most:]
        return data

    def close(self) -> None:
        """Close the connection after the files that read from it: `http.client` closes a socket before reading."""
        self._closed = True
        self._close_if_unused()

    def open_file(self) -> None:
        """Count a file that reads from the connection, and keeps it open."""
        self._files += 1

    def close_file(self) -> None:
        """Count a file that reads from the connection as closed."""
        self._files -= 1
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        from websocket import WebSocketException

        if self._closed and self._files <= 0:
            with suppress(OSError, WebSocketException):
                self._websocket.close(timeout=0)

    def _receive_frame(self) -> None:
        from websocket import ABNF, WebSocketConnectionClosedException, WebSocketException

        self._websocket.settimeout(self._time_left())
        try:
            kind, frame = self._websocket.recv_data_frame(True)
        except WebSocketConnectionClosedException:
            self._ended = True
            return
        except WebSocketException as err:
            raise _as_socket_error(err) from err
        if kind == ABNF.OPCODE_CLOSE:
            self._ended = True
        elif kind == ABNF.OPCODE_BINARY:
            channel, data = bytes(frame.data[:1]), bytes(frame.data[1:])
            if channel not in self._open_channels:  # the first frame of each channel holds the port number
                self._open_channels.add(channel)
            elif channel == _DATA:
                self._data += data
            elif channel == _ERROR:
                raise ConnectionRefusedError(_cause(data.decode("utf-8", "replace")))

    def _time_left(self) -> float:
        return max(_MIN_TIMEOUT_S, self.deadline - time.monotonic())


class Readable(Protocol):
    """Connection that a `Reader` reads from."""

    def receive(self, most: int) -> bytes:
        """Return up to `most` bytes; none at the end."""

    def close_file(self) -> None:
        """Count a file as closed."""


class Reader(io.RawIOBase):
    """File that reads from a connection."""

    def __init__(self, forward: Readable) -> None:
        super().__init__()
        self._forward = forward

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into `buffer` and return the number of bytes; 0 at the end."""
        data = self._forward.receive(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            super().close()
            self._forward.close_file()


def _open(connection: Connection, path: str, timeout_s: float) -> Any:
    """Open a websocket to the API server with the kubeconfig's credentials, certificates and proxy."""
    from kubernetes.stream.ws_client import websocket_proxycare
    from websocket import WebSocket, WebSocketBadStatusException, WebSocketException

    settings = connection.client.configuration
    tls: dict[str, Any] = {"cert_reqs": ssl.CERT_REQUIRED if settings.verify_ssl else ssl.CERT_NONE}
    tls |= {} if settings.verify_ssl else {"check_hostname": False}
    tls |= {"ca_certs": settings.ssl_ca_cert} if settings.ssl_ca_cert else {}
    tls |= {"certfile": settings.cert_file, "keyfile": settings.key_file} if settings.cert_file else {}
    tls |= {"server_hostname": settings.tls_server_name} if settings.tls_server_name else {}
    headers = [f"{name}: {value}" for name, value in connection.headers().items()]
    options: dict[str, Any] = {"header": [*headers, f"sec-websocket-protocol: {_PROTOCOL}"]}
    url = settings.host.replace("http", "ws", 1) + path
    if settings.proxy or settings.proxy_headers:
        options = websocket_proxycare(options, settings, url, {})
    websocket = WebSocket(sslopt=tls)
    try:
        websocket.connect(url, timeout=timeout_s, suppress_origin=True, **options)  # type: ignore[no-untyped-call]
    except WebSocketBadStatusException as err:
        raise translation(connection.where, err.status_code, _message(err)) from err
    except (WebSocketException, OSError) as err:
        raise translation(connection.where, 0, str(err)) from err
    return websocket


def _message(err: Any) -> str:
    """Return the API server's message from the body of a refused handshake."""
    body = (err.resp_body or b"").decode("utf-8", "replace")
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.strip() or str(err)


def _as_socket_error(err: Exception) -> OSError:
    from websocket import WebSocketTimeoutException

    return TimeoutError(str(err)) if isinstance(err, WebSocketTimeoutException) else ConnectionError(str(err))


def _cause(message: str) -> str:
    """Return the last part of the kubelet's message about a port that cannot be reached, without the pod's names."""
    return message.rsplit(": ", 1)[-1].strip() or "the port cannot be reached"
