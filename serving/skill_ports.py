"""The skills' ports: a second HTTP server in the worker's event loop, with the same app."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from serving.http_connection import Protocol
from serving.sockets import BACKLOG

_POLL_S = 0.01


class _EmbeddedServer(uvicorn.Server):
    """A server in the process of another one, which handles the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers."""
        yield


def server_config(app: ASGIApp, protocol: Protocol, **options: Any) -> uvicorn.Config:
    """Return the configuration of a server of ours.

    Args:
        app: The app; its lifespan is somebody else's.
        protocol: Protocol of a connection.
        options: More of uvicorn's options.
    """
    return uvicorn.Config(
        app,
        http=protocol,  # type: ignore[arg-type] # uvicorn only calls it
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        **options,
    )


@asynccontextmanager
async def serve_skill_ports(app: ASGIApp, socket_fds: Sequence[int], protocol: Protocol) -> AsyncIterator[None]:
    """Serve on inherited sockets inside the block; at its end, finish the requests in flight.

    The app finds the port of a request in `scope["server"]`.

    Args:
        app: The app; its lifespan has started already.
        socket_fds: File descriptors of listening sockets. This process's copies are closed at the end.
        protocol: Protocol of a connection.
    """
    if not socket_fds:
        yield
        return
    server = _EmbeddedServer(server_config(app, protocol))
    serving = asyncio.create_task(server.serve([socket.socket(fileno=fd) for fd in socket_fds]))
    while not server.started and not serving.done():
        await asyncio.sleep(_POLL_S)
    if serving.done():
        await serving  # raises the reason
    try:
        yield
    finally:
        server.should_exit = True
        await serving
