"""Slow and broken uploads, large photos and late answers: what a request may take of the service."""

import asyncio
import json
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI
from http_service import JPEG, refused, wait_until_ready
from starlette.testclient import TestClient

from serving.app import create_app
from serving.errors import Code, RefusalError
from serving.predictor import Predictor
from serving.settings import ServingSettings


@pytest.fixture
def red(fabricated: ModuleType) -> bytes:
    return bytes(fabricated.photo("red"))


def ask_by_hand(app: FastAPI, receive: Callable[[], Any], headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """Send POST /v1/predict with a body from `receive`; return the status and the document."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def main() -> None:
        async with app.router.lifespan_context(app):
            while True:
                try:
                    app.state.engine.check_ready()
                    break
                except RefusalError:
                    await asyncio.sleep(0.01)
            scope = {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": "POST",
                "path": "/v1/predict",
                "raw_path": b"/v1/predict",
                "query_string": b"",
                "root_path": "",
                "scheme": "http",
                "server": ("test", 80),
                "client": ("test", 1),
                "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            }
            await app(scope, receive, send)

    asyncio.run(main())
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_an_upload_that_takes_too_long_is_refused(predictor: Predictor):
    app = create_app(lambda: predictor, ServingSettings(upload_timeout_s=1))
    pieces = iter([{"type": "http.request", "body": b"\xff\xd8", "more_body": True}])

    async def receive() -> Any:
        piece = next(pieces, None)
        if piece is None:
            await asyncio.sleep(30)
        return piece

    status, document = ask_by_hand(app, receive, {**JPEG, "content-length": "5000"})
    assert status == 408
    assert document["error"]["code"] == Code.UPLOAD_TIMEOUT
    assert "complete within 1 s" in document["error"]["message"]


def test_a_connection_that_ends_in_the_body_is_refused(predictor: Predictor):
    app = create_app(lambda: predictor)
    pieces = iter([{"type": "http.request", "body": b"\xff\xd8", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(pieces)

    status, document = ask_by_hand(app, receive, {**JPEG, "content-length": "5000"})
    assert status == 400
    assert document["error"]["code"] == Code.INCOMPLETE_BODY


def test_an_answer_that_takes_too_long_is_refused(predictor: Predictor, red: bytes):
    class Slow(Predictor):
        def answer_queries(self, queries: Any) -> Any:
            time.sleep(1.5)
            return super().answer_queries(queries)

        def warm_up(self) -> None: ...

    slow = Slow(predictor.bundle, 1)
    with TestClient(create_app(lambda: slow, ServingSettings(answer_timeout_s=1))) as client:
        wait_until_ready(client)
        response = client.post("/v1/predict", content=red, headers=JPEG)
    assert "the answer was not ready within 1 s" in refused(response, Code.OVERLOADED)
