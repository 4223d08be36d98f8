"""Draining: while a file exists, connections are closed after their response and the pod is not ready.

Kubernetes routes new connections away from a terminating pod, but keeps the open ones. The pod's `preStop` hook creates
the file, so that clients reconnect to other pods, one response at a time, before the process receives SIGTERM.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.pod_config import RELEASE_VARIABLE

DRAINING_VARIABLE = "COACHWORKS_DRAINING"
_IN_PODS = Path("/tmp/draining")  # noqa: S108 — the pod's own volume


def draining_file(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the path in COACHWORKS_DRAINING; without it, `/tmp/draining` in a pod and None elsewhere."""
    path = environ.get(DRAINING_VARIABLE)
    if path:
        return Path(path)
    return _IN_PODS if environ.get(RELEASE_VARIABLE) else None


class Draining:
    """ASGI middleware: send `Connection: close` with every response while `file` exists.

    Args:
        app: The app behind the middleware.
        file: Path of the file.
    """

    def __init__(self, app: ASGIApp, file: Path) -> None:
        self._app, self._file = app, file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def closing_send(message: Message) -> None:
            if message["type"] == "http.response.start" and self._file.exists():
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, closing_send)
