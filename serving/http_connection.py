"""A connection of a client: uvicorn's HTTP/1.1 protocol with time limits, and refusals that reach the client.

Both kinds of ports use it: the main port, which `bentoml serve` opens, and the skills' ports.
"""

import asyncio
import contextlib
import functools
import logging
import socket
import struct
import sys
from collections.abc import Callable
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

import h11
import uvicorn.config
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from serving.early_refusals import EarlyRefusals
from serving.errors import Code, RefusalError
from serving.open_connections import Closed, OpenConnections
from serving.response_headers import HEADERS

MAX_HEADER_BYTES = 32 * 1024  # of the request line and all headers together
_VERSIONS = (b"1.0", b"1.1")
_AT_ONCE = struct.pack("ii", 1, 0)  # of SO_LINGER: close without waiting for what is not sent
# Errors alone: uvicorn's warning about a request that is not HTTP is not JSON, and clients could fill the log with it.
_logger = logging.getLogger("uvicorn.error.connections")
_logger.setLevel(logging.ERROR)

Protocol = Callable[..., asyncio.Protocol]


def http_protocol(app: ASGIApp, connections: OpenConnections, early: EarlyRefusals) -> Protocol:
    """Return what uvicorn calls for the protocol of a new connection, whose requests `app` answers."""
    return functools.partial(HttpConnection, answering=app, open_connections=connections, early=early)


def use_on_every_port(protocol: Protocol) -> None:
    """Make `protocol` that of every server in this process that does not name another one.

    `bentoml serve` has no option for the protocol of its server; it takes the one that uvicorn chooses by itself.
    """
    uvicorn.config.HTTP_PROTOCOLS["auto"] = protocol  # type: ignore[assignment] # uvicorn takes a class, too


class _Phase(Enum):
    """State of a connection, by what happens next."""

    HEADERS = auto()  # of its first request, or of one that has begun
    IDLE = auto()  # until the next request
    BODY = auto()  # of a request that is not answered yet
    ANSWER = auto()  # of ours
    REST = auto()  # of a body, after the answer
    CLOSING = auto()  # until the client has read the answer and closes


class HttpConnection(H11Protocol):
    """One connection.

    An answer before the end of the request's body would be lost if the connection were closed at once: the kernel
    resets a connection that is closed with unread data, and many clients send everything before they read. So the
    connection is closed for writing only, and what the client still sends is discarded, within limits of size and time.

    Args:
        answering: The app that answers all requests, whatever else wraps it in the server's configuration.
        open_connections: All connections of this process.
        early: Refusals of requests by their first line.
        options: Those of uvicorn.
    """

    def __init__(
        self, *, answering: ASGIApp, open_connections: OpenConnections, early: EarlyRefusals, **options: Any
    ) -> None:
        super().__init__(**options)
        self.app, self._early, self.logger = answering, early, _logger
        self._all, self._settings = open_connections, open_connections.settings
        self.conn = _StrictParser(h11.SERVER, max_incomplete_event_size=MAX_HEADER_BYTES)
        self.timeout_keep_alive = self._settings.idle_timeout_s
        self._phase, self._since = _Phase.HEADERS, self.loop.time()
        self._unsent_since: float | None = None
        self._discarded = 0

    # what the transport calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; refuse if every other client is waiting for an answer already."""
        self._raw = transport
        super().connection_made(_ClosingGently(transport, self.close_gently))  # type: ignore[arg-type]
        if not self._all.add(self):
            self._refuse(RefusalError(Code.OVERLOADED, "the service has as many connections as it can hold"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._all.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; discard what follows an answer."""
        if self._phase in {_Phase.CLOSING, _Phase.REST}:
            self._discarded += len(data)
            if self._discarded > self._settings.max_discard_bytes:
                self.drop(Closed.UNREAD_BODY)
                return
        elif self._phase in {_Phase.HEADERS, _Phase.IDLE} and not self.conn.trailing_data[0]:
            refusal = self._early.refusal(data, self.server[1] if self.server else None)
            if refusal is not None:
                self._refuse(refusal)
        if self._phase is not _Phase.CLOSING:
            super().data_received(data)
            self._update_phase()

    # what uvicorn calls

    def on_response_complete(self) -> None:
        """Go on with the next request."""
        super().on_response_complete()
        self._update_phase()

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that is not HTTP, with the parser's reason."""
        err = sys.exception()
        if getattr(err, "error_status_hint", 400) == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
            reason = f"the headers must have at most {MAX_HEADER_BYTES} bytes"
            self._refuse(RefusalError(Code.HEADERS_TOO_LARGE, reason))
        else:
            self._refuse(RefusalError(Code.MALFORMED_REQUEST, f"the request is not valid HTTP/1.1: {err or msg}"))

    def shutdown(self) -> None:
        """Close when the server stops: at once, or after the answer that the client is waiting for."""
        if self._phase in {_Phase.CLOSING, _Phase.REST}:
            self._reset()
        else:
            super().shutdown()

    def _should_upgrade(self) -> bool:
        return False  # the service speaks HTTP/1.1 only; a server may ignore the header

    # limits

    def waiting_since(self) -> float | None:
        """Return since when the service waits for this client; None: the client waits for an answer."""
        return self._unsent_since if self._phase is _Phase.ANSWER else self._since

    def check(self, now: float) -> None:
        """Close the connection if its client has exceeded a time limit.

        The app limits the time of a body, and its own time to answer.
        """
        if not self._raw.get_write_buffer_size():
            self._unsent_since = None
        elif self._unsent_since is None:
            self._unsent_since = now
        elif now - self._unsent_since > self._settings.send_timeout_s:
            self.drop(Closed.UNREAD_ANSWER)
            return
        waited = now - self._since
        if self._phase in {_Phase.CLOSING, _Phase.REST} and waited > self._settings.discard_timeout_s:
            self.drop(Closed.UNREAD_BODY)
        elif self._phase is _Phase.IDLE and waited > self._settings.idle_timeout_s:
            self.timeout_keep_alive_handler()
        elif self._phase is _Phase.HEADERS and waited > self._settings.header_timeout_s:
            if self.conn.trailing_data[0]:
                rule = f"the headers must be complete within {self._settings.header_timeout_s} s"
                self._all.closed(Closed.SILENT)
                self._refuse(RefusalError(Code.HEADER_TIMEOUT, rule))
            else:
                self.drop(Closed.SILENT)

    def drop(self, reason: Closed) -> None:
        """Close the connection without an answer."""
        self._all.closed(reason)
        self._all.remove(self)
        self._reset()

    def _reset(self) -> None:
        """Close with a reset, so that the system does not keep answers that the client does not read: up to 4 MB."""
        connected = self._raw.get_extra_info("socket")
        if connected is not None:
            with contextlib.suppress(OSError):  # closed already
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._raw.abort()

    def close_gently(self) -> None:
        """Close for writing, and discard what the client still sends; close at once if it has sent everything."""
        if self._phase is _Phase.CLOSING:
            return
        complete = self.conn.their_state in {h11.DONE, h11.MUST_CLOSE, h11.CLOSED}
        if complete and not self.conn.trailing_data[0] and not self.flow.read_paused:
            self._raw.close()
            return
        self._enter(_Phase.CLOSING)
        self.flow.resume_reading()
        if self._raw.can_write_eof():  # not with TLS: there, the client knows the end by the answer's length
            self._raw.write_eof()

    def _update_phase(self) -> None:
        if self._phase is _Phase.CLOSING:
            return
        answered = self.cycle is None or self.cycle.response_complete
        if self.conn.their_state is h11.SEND_BODY:
            phase = _Phase.REST if answered else _Phase.BODY
        elif not answered:
            phase = _Phase.ANSWER
        elif self.cycle is None or self.conn.trailing_data[0]:
            phase = _Phase.HEADERS
        else:
            phase = _Phase.IDLE
        if phase is not self._phase:
            self._enter(phase)

    def _enter(self, phase: _Phase) -> None:
        self._phase, self._since = phase, self.loop.time()
        self._discarded = 0

    def _refuse(self, refusal: RefusalError) -> None:
        """Answer outside of the app, where there is no request for it."""
        if self._phase is _Phase.CLOSING:
            return
        if self._phase is _Phase.REST:
            self.close_gently()  # its request has been answered
            return
        if self.cycle is not None and not self.cycle.response_complete:
            if self.cycle.response_started:
                self._reset()  # in the middle of another answer
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._all.metrics.errors.labels(str(refusal.code)).inc()
        body = refusal.document().model_dump_json().encode()
        headers = {
            **HEADERS,
            **refusal.headers,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
        status = HTTPStatus(refusal.status)
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        self._raw.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        self.close_gently()


class _StrictParser(h11.Connection):
    """The parser of a connection, with the rules that h11 leaves to the server."""

    def next_event(self) -> Any:
        """Return the next event.

        Raises:
            h11.RemoteProtocolError: the request breaks a rule.
        """
        event = super().next_event()
        if isinstance(event, h11.Request):
            names = [name for name, _ in event.headers]
            if b"content-length" in names and b"transfer-encoding" in names:
                raise h11.RemoteProtocolError("Content-Length and Transfer-Encoding exclude each other")
            if event.http_version not in _VERSIONS:
                raise h11.RemoteProtocolError(f"the version must be 1.0 or 1.1; got {event.http_version.decode()}")
            if len(event.target) + sum(len(name) + len(value) + 4 for name, value in event.headers) > MAX_HEADER_BYTES:
                raise h11.RemoteProtocolError("too large", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        return event

    def send(self, event: Any) -> Any:
        """Return an event's bytes; close after an answer to a client that waits with its body for a 100."""
        if isinstance(event, h11.Response) and self.they_are_waiting_for_100_continue:
            headers = [*event.headers, (b"connection", b"close")]
            event = h11.Response(status_code=event.status_code, headers=headers, reason=event.reason)
        return super().send(event)


class _ClosingGently:
    """A transport whose `close` is another function.

    Args:
        transport: The transport.
        close: Called in place of its own.
    """

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self._transport, self._close, self._closing = transport, close, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def close(self) -> None:
        """Close in the other way."""
        self._closing = True
        self._close()

    def is_closing(self) -> bool:
        """Return whether the transport is closed or about to be."""
        return self._closing or self._transport.is_closing()
