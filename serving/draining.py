"""Draining: while a file exists, connections are closed after their answer and the pod is not ready.

Kubernetes stops sending new connections to a pod that ends, but leaves it those that are open. The pod's `preStop` hook
makes the file, so that clients have moved elsewhere, one answer at a time, before the process is told to stop.
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
    """The file that COACHWORKS_DRAINING names, in a pod `/tmp/draining`; None: nothing drains."""
    named = environ.get(DRAINING_VARIABLE)
    if named:
        return Path(named)
    return _IN_PODS if environ.get(RELEASE_VARIABLE) else None


class Draining:
    """ASGI middleware: asks clients to leave while `file` exists.

    Args:
        app: What answers.
        file: The file.
    """

    def __init__(self, app: ASGIApp, file: Path) -> None:
        self._app, self._file = app, file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def parting_send(message: Message) -> None:
            if message["type"] == "http.response.start" and self._file.exists():
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, parting_send)
