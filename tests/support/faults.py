"""An HTTP proxy that makes a server unreliable: errors, lost replies, broken bodies, time-outs, outages."""

import http.client
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

# What may happen to a request, and how often among those that something happens to.
REFUSED, BUSY, LOST, CUT, STALLED = "refused", "busy", "lost", "cut", "stalled"
WEIGHTS = {REFUSED: 4, BUSY: 3, LOST: 4, CUT: 2, STALLED: 1}
PASSED, DOWN = "passed", "down"

_HOP_BY_HOP = {"connection", "expect", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}
_ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>not now</Message></Error>'
_REPLIES = {REFUSED: (500, "InternalError"), BUSY: (503, "SlowDown")}

Choice = Callable[[str, str], str | None]


class FaultyProxy:
    """A proxy before `upstream` that spoils a share of the requests; a context manager.

    Host headers pass unchanged, so that signatures hold. What happens to a request:

    * `refused`, `busy`: 500, or 503 with the code SlowDown; upstream never sees it.
    * `lost`: upstream does the work, and the connection is closed without a reply.
    * `cut`: the connection breaks in the middle of the reply's body (or is lost, where there is none).
    * `stalled`: nothing for `stall_s` seconds, then the connection is closed; upstream never sees it.

    Args:
        upstream: Address of the server, `http://host:port`.
        host: Address to listen on; that of the node, where pods go through it.
        port: Port to listen on; 0 takes a free one.
        error_rate: Share of the requests that something happens to; may be changed at any time.
        seed: Decides which; with several clients at once the order is theirs.
        stall_s: How long a stalled request is left without an answer.
        choose: Decides instead, by method and path: the name of what happens, or None.

    Attributes:
        counts: How often each thing happened; `passed` is nothing.
        down: While true, connections are closed at once.
    """

    def __init__(
        self,
        upstream: str,
        host: str = "127.0.0.1",
        port: int = 0,
        error_rate: float = 0.2,
        seed: int = 0,
        *,
        stall_s: float = 1.0,
        choose: Choice | None = None,
    ) -> None:
        parts = urlsplit(upstream)
        self.upstream = (parts.hostname or "", parts.port or 80)
        self.error_rate, self.stall_s, self.down = error_rate, stall_s, False
        self.counts: Counter[str] = Counter()
        self._choose, self._lock = choose, threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 — nothing secret
        self._server = _Server((host, port), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """URL of the proxy."""
        return f"http://{self._server.server_address[0]!s}:{self.port}"

    @property
    def spoilt(self) -> int:
        """Number of spoilt requests."""
        return sum(count for fate, count in self.counts.items() if fate != PASSED)

    def start(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def fate(self, method: str, path: str) -> str:
        """Choose what happens to a request."""
        chosen = self._choose(method, path) if self._choose is not None and not self.down else None
        with self._lock:
            if self.down:
                fate = DOWN
            elif self._choose is not None:
                fate = chosen or PASSED
            elif self._random.random() < self.error_rate:
                fate = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            else:
                fate = PASSED
            self.counts[fate] += 1
            return fate


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    proxy: FaultyProxy

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that have closed the connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or a body waits 40 ms for the receipt of its headers
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — its name there
        """Keep the log empty."""

    def handle_expect_100(self) -> bool:
        """Let the client send its body, whatever becomes of it."""
        self.send_response_only(100)
        self.end_headers()
        return True

    def parse_request(self) -> bool:
        if self.server.proxy.down:
            self.server.proxy.counts[DOWN] += 1
            self.close_connection = True
            return False
        parsed = super().parse_request()
        if parsed:
            setattr(self, f"do_{self.command}", self._pass_on)
        return parsed

    def _pass_on(self) -> None:
        body = self._body()
        fate = self.server.proxy.fate(self.command, self.path)
        if fate in _REPLIES:
            self._refuse(*_REPLIES[fate])
            return
        if fate in {STALLED, DOWN}:
            time.sleep(self.server.proxy.stall_s if fate == STALLED else 0)
            self.close_connection = True
            return
        reply, data = self._ask_upstream(body)
        if fate == LOST or (fate == CUT and not data):
            self.close_connection = True
            return
        self.send_response_only(reply.status, reply.reason)
        for name, value in reply.getheaders():
            if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        length = reply.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        if length is not None and reply.status not in {204, 304}:
            self.send_header("Content-Length", length)
        self.end_headers()
        if fate == CUT:
            data = data[: len(data) // 2]
            self.close_connection = True
        self.wfile.write(data)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    def _ask_upstream(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(*self.server.proxy.upstream, timeout=120)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                    connection.putheader(name, value)
            if body or self.command in {"POST", "PUT", "PATCH"}:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            reply = connection.getresponse()
            return reply, reply.read()
        finally:
            connection.close()

    def _refuse(self, status: int, code: str) -> None:
        body = b"" if self.command == "HEAD" else _ERROR.format(code=code).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
