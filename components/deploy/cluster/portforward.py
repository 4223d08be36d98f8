"""One TCP connection to a port of a pod, through the API server: a websocket that carries its bytes.

Kubernetes' own client has such a thing, but it waits without end for an API server that is silent, and prints from a
thread of its own when a pod goes away.
"""

import io
import json
import ssl
import struct
import time
from contextlib import suppress
from typing import Any

from coachworks.kubernetes_api import Connection, path_of
from coachworks.kubernetes_api.failures import translation

_PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = b"\0", b"\1"  # the channels of the first port
_CHUNK = 128 * 1024
_SHORT_S = 0.001  # the least that is left to wait


class Tunnel:
    """What `http.client` needs of a socket.

    Args:
        connection: The API server.
        namespace: Namespace of the pod.
        pod: Name of the pod.
        port: The port.
        deadline: How long to wait for anything, by the monotonic clock.

    Attributes:
        deadline: The same; may be set anew for each request.
    """

    def __init__(self, connection: Connection, namespace: str, pod: str, port: int, deadline: float) -> None:
        self.deadline = deadline
        self._port = struct.pack("<H", port)
        path = f"{path_of('v1', 'pods', namespace, pod, 'portforward')}?ports={port}"
        self._websocket = _open(connection, path, self._left())
        self._begun: set[bytes] = set()
        self._data, self._ended = b"", False
        self._files, self._closed = 0, False

    def sendall(self, data: Any) -> None:
        """Send bytes to the pod."""
        from websocket import ABNF, WebSocketException

        view = memoryview(data).cast("B")
        self._websocket.settimeout(self._left())
        try:
            for start in range(0, len(view), _CHUNK):
                self._websocket.send(_DATA + bytes(view[start : start + _CHUNK]), ABNF.OPCODE_BINARY)
        except WebSocketException as err:
            raise _as_socket_error(err) from err

    def makefile(self, mode: str) -> io.BufferedReader:
        """A file to read an answer from."""
        assert mode == "rb"  # noqa: S101 — all that http.client asks for
        self._files += 1
        return io.BufferedReader(_Incoming(self))

    def receive(self, most: int) -> bytes:
        """Up to `most` bytes from the pod; none when it has closed the connection.

        Raises:
            ConnectionRefusedError: nothing listens on the port.
            TimeoutError: nothing came in time.
        """
        while not self._data and not self._ended:
            self._take_frame()
        taken, self._data = self._data[:most], self._data[most:]
        return taken

    def close(self) -> None:
        """End it, once the files that read from it are closed too: `http.client` closes a socket before it has read."""
        self._closed = True
        self._end_unless_read()

    def close_file(self) -> None:
        """One of its files is closed."""
        self._files -= 1
        self._end_unless_read()

    def _end_unless_read(self) -> None:
        from websocket import WebSocketException

        if self._closed and self._files <= 0:
            with suppress(OSError, WebSocketException):
                self._websocket.close(timeout=0)

    def _take_frame(self) -> None:
        from websocket import ABNF, WebSocketConnectionClosedException, WebSocketException

        self._websocket.settimeout(self._left())
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
            if channel not in self._begun:  # each channel begins with the number of the port
                self._begun.add(channel)
            elif channel == _DATA:
                self._data += data
            elif channel == _ERROR:
                raise ConnectionRefusedError(_cause(data.decode("utf-8", "replace")))

    def _left(self) -> float:
        return max(_SHORT_S, self.deadline - time.monotonic())


class _Incoming(io.RawIOBase):
    """What comes through a tunnel, as a file."""

    def __init__(self, tunnel: Tunnel) -> None:
        super().__init__()
        self._tunnel = tunnel

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a part of `buffer`; 0 at the end."""
        data = self._tunnel.receive(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """End it."""
        if not self.closed:
            super().close()
            self._tunnel.close_file()


def _open(connection: Connection, path: str, timeout_s: float) -> Any:
    """A websocket of the API server, as the kubeconfig says who we are and whom we trust."""
    from kubernetes.stream.ws_client import websocket_proxycare
    from websocket import WebSocket, WebSocketBadStatusException, WebSocketException

    settings = connection.client.configuration
    secure: dict[str, Any] = {"cert_reqs": ssl.CERT_REQUIRED if settings.verify_ssl else ssl.CERT_NONE}
    secure |= {} if settings.verify_ssl else {"check_hostname": False}
    secure |= {"ca_certs": settings.ssl_ca_cert} if settings.ssl_ca_cert else {}
    secure |= {"certfile": settings.cert_file, "keyfile": settings.key_file} if settings.cert_file else {}
    secure |= {"server_hostname": settings.tls_server_name} if settings.tls_server_name else {}
    headers = [f"{name}: {value}" for name, value in connection.headers().items()]
    options: dict[str, Any] = {"header": [*headers, f"sec-websocket-protocol: {_PROTOCOL}"]}
    url = settings.host.replace("http", "ws", 1) + path
    if settings.proxy or settings.proxy_headers:
        options = websocket_proxycare(options, settings, url, {})
    opened = WebSocket(sslopt=secure)
    try:
        opened.connect(url, timeout=timeout_s, suppress_origin=True, **options)  # type: ignore[no-untyped-call]
    except WebSocketBadStatusException as err:
        raise translation(connection.where, err.status_code, _refusal(err)) from err
    except (WebSocketException, OSError) as err:
        raise translation(connection.where, 0, str(err)) from err
    return opened


def _refusal(err: Any) -> str:
    body = (err.resp_body or b"").decode("utf-8", "replace")
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.strip() or str(err)


def _as_socket_error(err: Exception) -> OSError:
    from websocket import WebSocketTimeoutException

    return TimeoutError(str(err)) if isinstance(err, WebSocketTimeoutException) else ConnectionError(str(err))


def _cause(message: str) -> str:
    """What the node says of a port that it cannot reach, without the pod's long names."""
    return message.rsplit(": ", 1)[-1].strip() or "the port cannot be reached"
