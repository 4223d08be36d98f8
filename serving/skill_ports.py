"""The skills' ports: a second HTTP server in the worker's event loop, with the same app."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from serving.sockets import BACKLOG

_POLL_S = 0.01


class _EmbeddedServer(uvicorn.Server):
    """A server in the process of another one, which handles the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers."""
        yield


@asynccontextmanager
async def serve_skill_ports(app: ASGIApp, socket_fds: Sequence[int]) -> AsyncIterator[None]:
    """Serve on inherited sockets inside the block; at its end, finish the requests in flight.

    The app finds the port of a request in `scope["server"]`.

    Args:
        app: The app; its lifespan has started already.
        socket_fds: File descriptors of listening sockets. This process's copies are closed at the end.
    """
    if not socket_fds:
        yield
        return
    server = _EmbeddedServer(
        uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, server_header=False, backlog=BACKLOG)
    )
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
