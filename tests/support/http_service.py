"""Requests to the HTTP service in this process: waiting until it is ready, and the one shape of its refusals."""

import time
from typing import Any

from starlette.testclient import TestClient

from serving.answer_format import ErrorDocument
from serving.errors import RULES, Code

JPEG = {"content-type": "image/jpeg"}


def wait_until_ready(client: TestClient) -> None:
    deadline = time.monotonic() + 20
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def refused(response: Any, code: Code) -> str:
    """Check the one shape of errors and the code; return the message."""
    document = ErrorDocument.model_validate(response.json())
    assert set(response.json()) == {"error"}
    assert set(response.json()["error"]) == {"code", "message", "way_out"}
    assert document.error.code == code, document
    assert response.status_code == RULES[code].status
    assert document.error.way_out
    return document.error.message
