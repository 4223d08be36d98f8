"""Headers of every response that keep browsers and proxies from doing more with an answer than passing it on."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Cache-Control": "no-store",  # an answer is about one photo, at one moment: no proxy or browser keeps it
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",  # opened as a page, it loads nothing
    "Cross-Origin-Resource-Policy": "same-origin",  # pages of other sites cannot embed it
    "X-Content-Type-Options": "nosniff",  # JSON is never guessed to be HTML or a script
}


class ResponseHeaders:
    """ASGI middleware: set `HEADERS` on every response.

    Args:
        app: The app behind the middleware.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)
