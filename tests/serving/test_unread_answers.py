"""Clients that ask and never read: they are closed, and the system keeps nothing for them."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from raw_http import connect, on_a_port

from coachworks.child_server import http_status
from serving.predictor import Predictor
from serving.settings import ServingSettings

TCP, LISTEN = Path("/proc/net/tcp"), "0A"
ASK = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"  # the longest answer
LINUX = pytest.mark.skipif(not TCP.exists(), reason="only Linux lists its connections so")


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def port(request: pytest.FixtureRequest, predictor: Predictor) -> Iterator[int]:
    """The port of a server that waits for a second until an answer is read."""
    settings = ServingSettings(header_timeout_s=1, send_timeout_s=1, discard_timeout_s=1)
    with on_a_port(predictor, settings, uvloop=request.param == "uvloop") as port:
        yield port


def unread_bytes(port: int) -> int:
    """Return how much of what a server at this port has written no client has taken."""
    rows = [line.split() for line in TCP.read_text("ascii").splitlines()[1:]]
    queues = [row[4].partition(":")[0] for row in rows if row[1].endswith(f":{port:04X}") and row[3] != LISTEN]
    return sum(int(queue, 16) for queue in queues)


def client(port: int) -> socket.socket:
    connection = connect(port)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(20)
    return connection


def ask_for_ever(connection: socket.socket) -> None:
    while True:
        connection.sendall(ASK * 50)
        time.sleep(0.01)


def test_a_client_that_goes_on_asking_is_closed(port: int):
    with client(port) as connection, pytest.raises(OSError, match=r"reset|Broken pipe"):
        ask_for_ever(connection)
    assert http_status("127.0.0.1", port, "/livez") == 200


@LINUX
def test_the_system_does_not_keep_answers_for_a_client_that_was_closed(port: int):
    with client(port) as connection:
        connection.sendall(ASK * 2000)
        deadline, left, most = time.monotonic() + 15, 0, 0
        while left or not most:
            assert time.monotonic() < deadline, f"{left} bytes are left of {most}"
            time.sleep(0.05)
            left = unread_bytes(port)
            most = max(most, left)
    assert most > 100_000
