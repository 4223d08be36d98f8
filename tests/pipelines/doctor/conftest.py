"""A fleet for a cluster, an API server with the objects that a test puts there, and servers that fail."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from small_fleets import small_fleet

from coachworks.fleet.model import Fleet

Answer = tuple[int, str]
SKILLS = {"view": {"labels": ["front", "rear"]}}
PLACES: dict[str, Any] = {"name": "cars", "store": "s3://cars/store", "sources": [{"photos": "s3://cars/photos"}]}


@contextmanager
def _server(answer: Callable[[str, str], Answer]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = answer(self.command, self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if body.startswith("<html"):
                self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body.encode())

        def do_GET(self) -> None:
            self._answer()

        def do_PUT(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, *args: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[str, str], Answer]], str]]:
    """Start a server that answers with the result of a function of method and path, and return its address."""
    with ExitStack() as servers:
        yield lambda answer: servers.enter_context(_server(answer))


@pytest.fixture
def mlflow_like(serve: Callable[..., str]) -> Callable[..., str]:
    """Start a server that answers like MLflow of a version, or refuses with a status."""

    def start(version: str, status: int = 200) -> str:
        def answer(method: str, path: str) -> Answer:
            return (200, version) if path.endswith("/version") else (status, "{}" if status == 200 else "not you")

        return serve(answer)

    return start


@pytest.fixture
def fleet() -> Fleet:
    return small_fleet(SKILLS, **PLACES)


@pytest.fixture
def cluster_fleet() -> Callable[..., Fleet]:
    """Return a fleet for a cluster with settings of `spec.cluster`."""

    def make(**cluster: Any) -> Fleet:
        return small_fleet(SKILLS, **PLACES, tracking="https://mlflow.example", cluster=cluster)

    return make
