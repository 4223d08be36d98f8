"""TLS on every port: a connection is counted and timed from its start, and becomes one of HTTP after its handshake.

uvicorn could do TLS itself, but it would count connections after their handshake only, and would never read a renewed
certificate.
"""

import asyncio
import functools
from typing import Any

from serving.certificate import Certificate
from serving.http_connection import Protocol
from serving.open_connections import Closed, OpenConnections


def tls_protocol(certificate: Certificate, connections: OpenConnections, http: Protocol) -> Protocol:
    """Return what uvicorn calls for the protocol of a new connection; `http` is the protocol inside of TLS."""
    return functools.partial(TlsConnection, certificate=certificate, open_connections=connections, http=http)


class TlsConnection(asyncio.Protocol):
    """A connection until the end of its TLS handshake.

    Args:
        certificate: The service's certificate.
        open_connections: All connections of this process.
        http: Makes the protocol that takes over.
        options: Those of uvicorn, for `http`.
    """

    def __init__(
        self, *, certificate: Certificate, open_connections: OpenConnections, http: Protocol, **options: Any
    ) -> None:
        self._certificate, self._all, self._http, self._options = certificate, open_connections, http, options
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._handshake: asyncio.Task[None] | None = None
        self._inner: Any = None
        self._early, self._begun, self._eof, self._lost = b"", False, False, False

    # what the transport calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin the handshake; close the connection if every other client is waiting for an answer already."""
        self._transport = transport
        transport.pause_reading()
        if self._all.add(self):
            self._handshake = self._loop.create_task(self._shake_hands())
        else:
            self.drop(Closed.CROWDED_OUT)

    def data_received(self, data: bytes) -> None:
        """Keep what arrives before the handshake begins, and with its end for the protocol that takes over."""
        if self._inner is not None:
            self._inner.data_received(data)
            return
        self._early += data
        if not self._begun:
            self._transport.pause_reading()  # uvloop reads on after `connection_made`, paused or not

    def eof_received(self) -> None:
        """Remember the end of what the client sends."""
        self._eof = True
        if self._inner is not None:
            self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; the protocol that took over may still have to be informed."""
        self._lost = True
        self._all.remove(self)
        if self._inner is not None:
            self._inner.connection_lost(exc)

    async def _shake_hands(self) -> None:
        handshake = self._loop.start_tls(
            self._transport,
            self,
            self._certificate.context(),
            server_side=True,
            ssl_handshake_timeout=self._all.settings.header_timeout_s,
        )
        try:
            transport, _ = await asyncio.gather(handshake, self._pass_on())
        except (OSError, asyncio.CancelledError):  # an SSLError is an OSError: the two cannot agree
            self._transport.abort()
            return
        finally:
            self._all.remove(self)
        if transport is not None and not self._lost:
            self._hand_over(transport)

    async def _pass_on(self) -> None:
        """Pass on what arrived before the handshake began, once the loop has begun it and before more is read."""
        data, self._early, self._begun = self._early, b"", True
        if data:
            self._loop.call_soon(self._feed, data)

    def _feed(self, data: bytes) -> None:
        tls: Any = self._transport.get_protocol()
        while data and not self._lost:
            buffer = tls.get_buffer(len(data))
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            tls.buffer_updated(size)
            data = data[size:]

    def _hand_over(self, transport: asyncio.Transport) -> None:
        http: Any = self._http(**self._options)
        self._inner = http  # the loop may have events on their way to this protocol
        transport.set_protocol(http)
        http.connection_made(transport)
        if self._early:
            http.data_received(self._early)
        if self._eof:
            http.eof_received()

    # what the registry of connections calls

    def waiting_since(self) -> float:
        """Return since when the service waits for this client."""
        return self._since

    def check(self, now: float) -> None:
        """Close the connection if its handshake takes too long."""
        if now - self._since > self._all.settings.header_timeout_s:
            self.drop(Closed.SILENT)

    def drop(self, reason: Closed) -> None:
        """Close the connection without an answer."""
        self._all.closed(reason)
        self._all.remove(self)
        self._transport.abort()
        if self._handshake is not None:
            self._handshake.cancel()
