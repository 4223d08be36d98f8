"""HTTP by hand: the app on a real socket in this process, and clients that break the rules."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from http_service import wait_until_ready
from starlette.testclient import TestClient

from serving.predictor import Predictor
from serving.settings import ServingSettings

DEFAULTS = ServingSettings()


@dataclass(frozen=True)
class Reply:
    """Bytes that came before the server closed the connection, or within a time.

    Attributes:
        data: All bytes.
        closed: How the connection ended: by its `end`, by a `reset`, or it is still `open`.
    """

    data: bytes
    closed: str

    @property
    def status(self) -> int:
        """Status of the first answer; 0: there was none."""
        return int(self.data[9:12]) if self.data.startswith(b"HTTP/1.1 ") else 0

    @property
    def statuses(self) -> list[int]:
        """Status of every answer."""
        return [int(part[:3]) for part in self.data.split(b"HTTP/1.1 ")[1:]]

    @property
    def document(self) -> Any:
        """Body of the first answer."""
        head, _, rest = self.data.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return json.loads(rest[: int(lengths[0].split(b":")[1])])

    @property
    def code(self) -> str:
        """Code of the error."""
        return str(self.document["error"]["code"])


def connect(port: int, timeout_s: float = 20) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=timeout_s)


def read(connection: socket.socket, within_s: float = 10) -> Reply:
    """Read until the connection is closed, at most for a time."""
    data, deadline = bytearray(), time.monotonic() + within_s
    while (left := deadline - time.monotonic()) > 0:
        connection.settimeout(left)
        try:
            piece = connection.recv(65536)
        except TimeoutError:
            break
        except OSError:
            return Reply(bytes(data), "reset")
        if not piece:
            return Reply(bytes(data), "end")
        data += piece
    return Reply(bytes(data), "open")


def exchange(port: int, request: bytes, within_s: float = 10) -> Reply:
    """Send bytes, and read until the connection is closed."""
    with connect(port) as connection:
        with suppress(OSError):  # refused on the way; there may be an answer
            connection.sendall(request)
        return read(connection, within_s)


def request_bytes(method: str = "GET", path: str = "/livez", body: bytes = b"", **headers: str) -> bytes:
    """Return a request that closes its connection; headers are named as Python spells them."""
    lines = {"Host": "x", "Connection": "close"} | {name.replace("_", "-"): value for name, value in headers.items()}
    if body:
        lines.setdefault("Content-Length", str(len(body)))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


@contextmanager
def on_a_port(
    predictor: Predictor, settings: ServingSettings = DEFAULTS, *, uvloop: bool = False, **options: Any
) -> Iterator[int]:
    """Serve on a real socket in this process; return its port. `options`: more of `create_app`."""
    from serving.app import create_app
    from serving.sockets import open_sockets

    [opened] = open_sockets("127.0.0.1", [0])
    port = int(opened.getsockname()[1])
    app = create_app(lambda: predictor, settings, socket_fds=[opened.detach()], **options)
    with TestClient(app, backend_options={"use_uvloop": uvloop}) as client:
        wait_until_ready(client)
        yield port
