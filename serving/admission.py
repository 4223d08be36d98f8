"""Admission of a request before any of its body is read: the paths of its port, and its API key."""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.api_keys import ApiKeys
from serving.errors import Code, RefusalError, nothing_under

METRICS, OPENAPI = "/metrics", "/openapi.json"
PROBES = frozenset({"/healthz", "/livez", "/readyz"})  # on every port, without a key: Kubernetes has none
# About all skills of the pods: a client of one skill's Service is not told about the others.
_MAIN_PORT_ONLY = frozenset({METRICS, OPENAPI})


class Admission:
    """ASGI middleware: refuse requests without a key, if there are keys, and paths that a skill's port does not have.

    The request's state gets the name of the key as `key`.

    Args:
        app: The app behind the middleware.
        ports: Skill of each skill port.
        keys: The keys; None: every request is admitted.
    """

    def __init__(self, app: ASGIApp, ports: Mapping[int, str], keys: ApiKeys | None) -> None:
        self._app, self._ports, self._keys = app, ports, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            try:
                self._admit(scope)
            except RefusalError as refusal:
                scope.setdefault("state", {})["error"] = str(refusal.code)
                response = JSONResponse(refusal.document().model_dump(), refusal.status, refusal.headers)
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        if scope["path"] in PROBES:
            return
        if self._keys is not None:
            scope.setdefault("state", {})["key"] = _key_name(Headers(scope=scope), self._keys)
        if scope["path"] in _MAIN_PORT_ONLY and (scope.get("server") or ("", 0))[1] in self._ports:
            raise nothing_under(scope["path"])


def _key_name(headers: Headers, keys: ApiKeys) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "").strip()
    if not key:
        raise _unauthorized("the request must carry an API key; it has none", "")
    name = keys.name_of(key)
    if name is None:
        raise _unauthorized("the API key must be one of this service; it is not", ' error="invalid_token"')
    return name


def _unauthorized(message: str, detail: str) -> RefusalError:
    challenge = f'Bearer realm="coachworks"{"," if detail else ""}{detail}'
    return RefusalError(Code.UNAUTHORIZED, message, headers={"WWW-Authenticate": challenge, "Connection": "close"})
