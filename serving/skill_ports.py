"""Answering on the skills' ports: one more server in the event loop of the worker, with the same app."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from serving.sockets import BACKLOG

_POLL_S = 0.01


class _Guest(uvicorn.Server):
    """A server in another one's process: signals are the other's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


@asynccontextmanager
async def answering(app: ASGIApp, listening: Sequence[int]) -> AsyncIterator[None]:
    """Answer on inherited sockets inside the block; what is in flight at its end is answered first.

    The app learns the port that a request came to from `scope["server"]`.

    Args:
        app: What answers; started already.
        listening: Descriptors of listening sockets. This process's copies are closed at the end.
    """
    if not listening:
        yield
        return
    server = _Guest(
        uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, server_header=False, backlog=BACKLOG)
    )
    serving = asyncio.create_task(server.serve([socket.socket(fileno=each) for each in listening]))
    while not server.started and not serving.done():
        await asyncio.sleep(_POLL_S)
    if serving.done():
        await serving  # it says why it could not start
    try:
        yield
    finally:
        server.should_exit = True
        await serving
