"""Access log: one line of JSON per request on standard output, and its metrics for Prometheus."""

import json
import logging
import re
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.admission import METRICS, PROBES
from serving.errors import Code, RefusalError
from serving.metrics import ServiceMetrics

logger = logging.getLogger(__name__)

REQUEST_ID = "X-Request-Id"
_SAFE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class AccessLog:
    """ASGI middleware: add an id to every request, log it and count it; turn an unexpected exception into a 500.

    Probes and admitted requests for metrics are neither logged nor counted.

    Args:
        app: The app behind the middleware.
        metrics: Metrics to update.
        paths: Paths counted by name; all others are counted as `other`, so that scanners cannot add time series.
        ports: Skill of each skill port; the request's state holds it as `skill` for the app.
        identity: Returns the fields about the service that every line contains.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: ServiceMetrics,
        paths: frozenset[str],
        ports: Mapping[int, str],
        identity: Callable[[], Mapping[str, str | None]],
    ) -> None:
        self._app, self._metrics, self._paths = app, metrics, paths
        self._ports, self._identity = ports, identity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        client_id = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = client_id if _SAFE_ID.fullmatch(client_id) else uuid.uuid4().hex
        state = scope.setdefault("state", {})
        skill = state["skill"] = self._ports.get((scope.get("server") or ("", 0))[1])
        started, received = time.perf_counter(), 0
        status: int | None = None

        async def counted_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        def record(seconds: float) -> None:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.requests.labels(path, _method(scope), str(status), skill or "").inc()
            self._metrics.seconds.labels(path, skill or "").observe(seconds)
            code, key = state.get("error"), state.get("key")
            if code:
                self._metrics.errors.labels(code).inc()
            if key:
                self._metrics.key_requests.labels(key).inc()
            write_event(
                {
                    "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                    **self._identity(),
                    "skill": skill or state.get("requested_skills"),
                    "key": key,
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

        try:
            await self._app(scope, counted_receive, send_with_id)
        except Exception:  # the outermost handler: the log has the traceback, the client gets an error of the one shape
            logger.exception("request %s failed", request_id)
            refusal = RefusalError(Code.INTERNAL, "the service failed")
            state["error"] = str(refusal.code)
            if status is None:
                response = JSONResponse(refusal.document().model_dump(), refusal.status)
                await response(scope, receive, send_with_id)
        finally:
            if scope["path"] != METRICS or status != HTTPStatus.OK:
                record(time.perf_counter() - started)


def _method(scope: Scope) -> str:
    known = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    return scope["method"] if scope["method"] in known else "other"


def write_event(event: dict[str, object]) -> None:
    """Write a line of the log."""
    try:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
    except OSError:  # the reader of the log is gone; requests are still answered
        logger.debug("the access log cannot be written")
