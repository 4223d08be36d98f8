"""Every request leaves one line, JSON on standard output, and its count and time for Prometheus."""

import json
import logging
import re
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import Code, RefusalError
from serving.metrics import Instruments

logger = logging.getLogger(__name__)

REQUEST_ID = "X-Request-Id"
PROBES = frozenset({"/healthz", "/livez", "/readyz", "/metrics"})
_SAFE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class AccessLog:
    """ASGI middleware: gives every request an id, logs it and counts it; an error nobody expected becomes a 500.

    Probes are neither logged nor counted.

    Args:
        app: What answers.
        instruments: Where requests are counted.
        paths: Paths that are counted by name; all others together as `other`.
        ports: The skill that each port answers alone; the app finds it in the request's state.
        identity: Who answers: what every line says of the service itself.
    """

    def __init__(
        self,
        app: ASGIApp,
        instruments: Instruments,
        paths: frozenset[str],
        ports: Mapping[int, str],
        identity: Callable[[], Mapping[str, str | None]],
    ) -> None:
        self._app, self._instruments, self._paths = app, instruments, paths
        self._ports, self._identity = ports, identity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _SAFE_ID.fullmatch(given) else uuid.uuid4().hex
        state = scope.setdefault("state", {})
        skill = state["skill"] = self._ports.get((scope.get("server") or ("", 0))[1])
        started, received = time.perf_counter(), 0
        status: int | None = None

        async def counted_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def marked_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        try:
            await self._app(scope, counted_receive, marked_send)
        except Exception:  # the outermost loop: whatever it is, the log has it and the client gets the one shape
            logger.exception("request %s failed", request_id)
            refusal = RefusalError(Code.INTERNAL, "the service failed")
            state["error"] = str(refusal.code)
            if status is None:
                response = JSONResponse(refusal.document().model_dump(), refusal.status)
                await response(scope, receive, marked_send)
        finally:
            seconds = time.perf_counter() - started
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._instruments.requests.labels(path, _method(scope), str(status), skill or "").inc()
            self._instruments.seconds.labels(path, skill or "").observe(seconds)
            code = state.get("error")
            if code:
                self._instruments.errors.labels(code).inc()
            _write(
                {
                    "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                    **self._identity(),
                    "skill": skill or state.get("asked"),
                    "request_id": request_id,
                    "method": scope["method"],
                    "path": scope["path"],
                    "query": scope["query_string"].decode("latin-1"),
                    "status": status,
                    "error": code,
                    "duration_ms": round(seconds * 1000, 2),
                    "received_bytes": received,
                }
            )


def _method(scope: Scope) -> str:
    known = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    return scope["method"] if scope["method"] in known else "other"


def _write(event: dict[str, object]) -> None:
    try:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
    except OSError:  # whoever read the log is gone; photos are still answered
        logger.debug("the access log cannot be written")
