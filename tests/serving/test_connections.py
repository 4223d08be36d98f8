"""Connections: time limits, their number, requests that break the protocol, refusals that reach the client."""

import json
import resource
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import pytest
from http_clients import CLIENTS, Send
from raw_http import Reply, connect, exchange, on_a_port, read, request_bytes

from serving.answer_format import ErrorBody
from serving.client import Client
from serving.errors import RULES, Code
from serving.metrics import ServiceMetrics
from serving.open_connections import OpenConnections
from serving.predictor import Predictor
from serving.settings import ServingSettings

MIB = 1024**2
QUICK = ServingSettings(
    max_connections=40, header_timeout_s=1, idle_timeout_s=1, send_timeout_s=1, discard_timeout_s=1, upload_timeout_s=1
)


@pytest.fixture(scope="module")
def quick(predictor: Predictor) -> Iterator[int]:
    """The port of a server with time limits of a second."""
    with on_a_port(predictor, QUICK) as port:
        yield port


@pytest.fixture(scope="module")
def usual(predictor: Predictor) -> Iterator[int]:
    """The port of a server with the settings of every pod."""
    with on_a_port(predictor, ServingSettings()) as port:
        yield port


@pytest.fixture
def photo(fabricated: ModuleType) -> bytes:
    return bytes(fabricated.photo("red"))


def is_alive(port: int) -> bool:
    return exchange(port, request_bytes()).status == 200


# time limits


def send_for_ever(connection: socket.socket, piece: bytes) -> None:
    while True:
        connection.sendall(piece)
        time.sleep(0.01)


def trickle(connection: socket.socket, piece: bytes, every_s: float, within_s: float) -> Reply:
    """Send a piece again and again until the connection is closed; return what came."""
    data, deadline = b"", time.monotonic() + within_s
    connection.settimeout(every_s)
    while time.monotonic() < deadline:
        try:
            connection.sendall(piece)
            got = connection.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            return Reply(data, "reset")
        if not got:
            return Reply(data, "end")
        data += got
    return Reply(data, "open")


SLOW = {
    "silent": (b"", b"", None),
    "half a request line": (b"POST /v1/pre", b"", Code.HEADER_TIMEOUT),
    "headers one by one": (b"GET /livez HTTP/1.1\r\nHost: x\r\n", b"X-A: b\r\n", Code.HEADER_TIMEOUT),
    "a body by bytes": (
        request_bytes("POST", "/v1/predict", Content_Type="image/jpeg", Content_Length="5000"),
        b"x",
        Code.UPLOAD_TIMEOUT,
    ),
    "the rest of a refused body": (
        request_bytes("POST", "/nothing", Content_Length="50000", Connection="keep-alive"),
        b"x",
        Code.NOT_FOUND,
    ),
    "the rest of a refused body, closing": (
        request_bytes("POST", "/nothing", Content_Length="50000"),
        b"x",
        Code.NOT_FOUND,
    ),
    "the next request's first bytes": (b"POST /nothing HTTP/1.1\r\nHost: x\r\n\r\nGE", b"T", Code.NOT_FOUND),
    "idle after an answer": (b"POST /nothing HTTP/1.1\r\nHost: x\r\n\r\n", b"", Code.NOT_FOUND),
}


def test_clients_that_are_too_slow_are_closed(quick: int):
    def attack(beginning: bytes, piece: bytes) -> tuple[float, Reply]:
        began = time.monotonic()
        with connect(quick) as connection:
            connection.sendall(beginning)
            reply = trickle(connection, piece, 0.1, 8) if piece else read(connection, 8)
        return time.monotonic() - began, reply

    with ThreadPoolExecutor(len(SLOW)) as pool:
        results = dict(zip(SLOW, pool.map(lambda slow: attack(*slow[:2]), SLOW.values()), strict=True))
    for name, (_, _, code) in SLOW.items():
        seconds, reply = results[name]
        assert reply.closed != "open", name
        assert seconds < 5, name
        assert (reply.code if reply.data else None) == code, name


# number of connections


def test_silent_connections_do_not_keep_others_out(quick: int, predictor: Predictor, fabricated: ModuleType):
    photo = fabricated.photo("red")
    ask = request_bytes("POST", "/v1/predict", photo, Content_Type="image/jpeg")
    with ExitStack() as stack:
        silent = [stack.enter_context(connect(quick)) for _ in range(QUICK.max_connections * 2)]
        assert exchange(quick, ask).status == 200
        assert read(silent[0], 1).closed != "open"  # the oldest had to go


def test_connections_with_half_a_photo_do_not_keep_others_out(quick: int, fabricated: ModuleType):
    head = request_bytes("POST", "/v1/predict", Content_Type="image/jpeg", Content_Length="5000")
    with ExitStack() as stack:
        for _ in range(QUICK.max_connections * 2):
            stack.enter_context(connect(quick)).sendall(head)
        photo = fabricated.photo("red")
        assert exchange(quick, request_bytes("POST", "/v1/predict", photo, Content_Type="image/jpeg")).status == 200


def test_a_connection_is_refused_at_once_where_every_client_waits_for_an_answer(predictor: Predictor, photo: bytes):
    class Slow(Predictor):
        def answer_queries(self, queries: Any) -> Any:
            time.sleep(1)
            return super().answer_queries(queries)

        def warm_up(self) -> None: ...

    settings = ServingSettings(max_connections=2)
    ask = request_bytes("POST", "/v1/predict", photo, Content_Type="image/jpeg")
    with on_a_port(Slow(predictor.bundle, 1), settings) as port, connect(port) as one, connect(port) as two:
        one.sendall(ask)
        two.sendall(ask)
        time.sleep(0.3)
        began = time.monotonic()
        reply = exchange(port, ask)
        assert (reply.status, reply.code) == (503, Code.OVERLOADED)
        assert b"\r\nRetry-After: 1\r\n" in reply.data
        assert time.monotonic() - began < 0.5
        assert [read(each).status for each in (one, two)] == [200, 200]


def test_the_number_of_connections_stays_below_the_open_files(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    limits = {"now": (256, 1024)}
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda which, value: limits.update(now=value))
    assert OpenConnections(ServingSettings(), ServiceMetrics()).limit == 512
    assert limits["now"] == (768, 1024)
    limits["now"] = (256, 512)
    assert OpenConnections(ServingSettings(), ServiceMetrics()).limit == 256
    assert "max_connections is 512, but the limit on open files (ulimit -n) is 512: at most 256" in caplog.text


# overload


class Held(Predictor):
    """A predictor that answers once `door` is open."""

    door: threading.Event

    def answer_queries(self, queries: Any) -> Any:
        self.door.wait(20)
        return super().answer_queries(queries)

    def warm_up(self) -> None: ...


def test_a_photo_without_a_place_is_refused_before_it_is_read(
    predictor: Predictor, photo: bytes, capsys: pytest.CaptureFixture[str]
):
    held = Held(predictor.bundle, 1)
    held.door = threading.Event()
    ask = request_bytes("POST", "/v1/predict", photo, Content_Type="image/jpeg")
    head = request_bytes("POST", "/v1/predict?skills=light", Content_Type="image/jpeg", Content_Length="5000")
    with on_a_port(held, ServingSettings(max_queue=2)) as port, connect(port) as one, connect(port) as two:
        one.sendall(ask)
        two.sendall(ask)
        until_metric(port, "coachworks_requests_in_progress", 2)
        capsys.readouterr()
        with connect(port) as late:
            late.sendall(head)  # and nothing of the body
            late.settimeout(5)
            first = late.recv(65536)
        assert first.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 1\r\n" in first
        event = json.loads(capsys.readouterr().out.splitlines()[-1])
        expected = {"status": 503, "error": "overloaded", "query": "skills=light", "received_bytes": 0}
        assert expected.items() <= event.items()
        assert f"X-Request-Id: {event['request_id']}".encode() in first
        for path in ("/v1/skills", "/livez", "/readyz"):
            assert exchange(port, request_bytes(path=path)).status == 200
        held.door.set()
        assert [read(each).status for each in (one, two)] == [200, 200]
        assert exchange(port, ask).status == 200
        text = exchange(port, request_bytes(path="/metrics")).data.decode()
        assert 'coachworks_errors_total{code="overloaded"} 1.0' in text
        assert '{method="POST",path="/v1/predict",skill="",status="503"} 1.0' in text


def until_metric(port: int, name: str, value: float) -> None:
    deadline = time.monotonic() + 20
    while f"\n{name} {value:.1f}\n" not in exchange(port, request_bytes(path="/metrics")).data.decode():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_slow_uploads_do_not_hold_all_places(predictor: Predictor, photo: bytes):
    head = request_bytes("POST", "/v1/predict", Content_Type="image/jpeg", Content_Length="5000")
    ask = request_bytes("POST", "/v1/predict", photo, Content_Type="image/jpeg")
    with on_a_port(predictor, ServingSettings(max_queue=2)) as port, ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(connect(port)).sendall(head)
        deadline = time.monotonic() + 5
        while exchange(port, ask).status != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)


# requests that break the protocol

CHUNKED = {"Transfer_Encoding": "chunked"}
BOTH = request_bytes("POST", "/v1/predict", b"0\r\n\r\n", Content_Type="image/jpeg", **CHUNKED)
NO_BODY = request_bytes("POST", "/v1/predict", Content_Type="image/jpeg", Content_Length="3")
BROKEN = {
    "Content-Length and Transfer-Encoding": BOTH,
    "two lengths": NO_BODY.replace(b"\r\n\r\n", b"\r\nContent-Length: 4\r\n\r\nabcd"),
    "a length that is no number": request_bytes("POST", Content_Length="+3"),
    "a negative length": request_bytes("POST", Content_Length="-1"),
    "an unknown encoding": request_bytes("POST", Transfer_Encoding="gzip, chunked"),
    "a chunk size that is no number": request_bytes("POST", "/v1/predict", Content_Type="image/jpeg", **CHUNKED)
    + b"zz\r\nabc\r\n",
    "a NUL in a header": request_bytes(X_A="a\0b"),
    "a space in a header's name": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "no host": b"GET /livez HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "no version": b"GET /livez\r\n\r\n",
    "HTTP/0.9": b"GET /livez HTTP/0.9\r\nHost: x\r\n\r\n",
    "HTTP/2 without an upgrade": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + b"\0" * 64 + b"\r\n\r\n",
    "a path of other bytes": b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("request_", BROKEN.values(), ids=BROKEN)
def test_a_request_that_breaks_the_protocol_is_refused_in_the_one_shape(usual: int, request_: bytes):
    reply = exchange(usual, request_)
    assert (reply.status, reply.code, reply.closed) == (400, Code.MALFORMED_REQUEST, "end")
    assert reply.document["error"]["way_out"] == RULES[Code.MALFORMED_REQUEST].way_out
    assert len(reply.statuses) == 1
    if request_ is BOTH:
        assert "Content-Length and Transfer-Encoding exclude each other" in reply.document["error"]["message"]


@pytest.mark.parametrize(
    "request_",
    [
        request_bytes(Cookie="x" * 40_000),
        request_bytes(**{f"X-{number}": "y" * 50 for number in range(600)}),
        request_bytes(path="/" + "x" * 40_000),
        b"GET /" + b"x" * 200_000,
        request_bytes(X_A="z" * 5_000_000),
    ],
    ids=["one header", "many headers", "the path", "no end", "megabytes"],
)
def test_headers_that_are_too_large_are_refused(usual: int, request_: bytes):
    reply = exchange(usual, request_)
    assert (reply.status, reply.code, reply.closed) == (431, Code.HEADERS_TOO_LARGE, "end")
    assert reply.document["error"]["message"] == "the headers must have at most 32768 bytes"


UPGRADE = {"Connection": "Upgrade, close"}
UNUSUAL = {
    "HTTP/1.0": (b"GET /livez HTTP/1.0\r\n\r\n", 200),
    "a whole URL as the path": (request_bytes(path="http://x/livez"), 404),
    "a websocket": (
        request_bytes(Upgrade="websocket", Sec_WebSocket_Version="13", Sec_WebSocket_Key="eA==", **UPGRADE),
        200,
    ),
    "h2c": (request_bytes(Upgrade="h2c", HTTP2_Settings="AAMAAABkAAQAAP__", **UPGRADE), 200),
    "CONNECT": (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
    "OPTIONS *": (request_bytes("OPTIONS", "*"), 404),
    "an unknown method": (request_bytes("BREW"), 405),
    "a folded header": (b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\nConnection: close\r\n\r\n", 200),
    "a path that leads up": (request_bytes(path="/v1/../../etc/passwd"), 404),
    "a path of other characters": (request_bytes(path="/%ff%00%0d%0a"), 404),
    "requests in one piece": (request_bytes(Connection="keep-alive") * 3 + request_bytes(), 200),
}


@pytest.mark.parametrize(("request_", "status"), UNUSUAL.values(), ids=UNUSUAL)
def test_an_unusual_request_is_answered(usual: int, request_: bytes, status: int):
    reply = exchange(usual, request_)
    assert (reply.status, reply.closed) == (status, "end")
    assert len(reply.statuses) == request_.count(b"HTTP/1.")


def test_nothing_after_an_ambiguous_length_is_taken_for_a_request(usual: int):
    reply = exchange(usual, BOTH + request_bytes(path="/v1/skills"))
    assert reply.statuses == [400]


# refusals reach who sends

SMALL = ServingSettings(max_body_bytes=MIB, max_discard_bytes=50 * MIB)
BODY = b"\xff\xd8" + b"x" * (10 * MIB)  # more than the sockets' buffers hold


@pytest.fixture(scope="module")
def small(predictor: Predictor) -> Iterator[int]:
    """The port of a server that takes a megabyte."""
    with on_a_port(predictor, SMALL) as port:
        yield port


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "in chunks"])
@pytest.mark.parametrize("send", CLIENTS)
def test_a_refusal_reaches_a_client_that_sends_everything_first(small: int, send: Send, chunked: bool):
    refusals = {
        ("/v1/predict", "image/jpeg"): Code.TOO_LARGE,
        ("/v1/predict", "text/plain"): Code.UNSUPPORTED_CONTENT_TYPE if chunked else Code.TOO_LARGE,
        ("/v1/predict?skills=nothing", "image/jpeg"): Code.UNKNOWN_SKILL,
        ("/nothing", "image/jpeg"): Code.NOT_FOUND,
    }
    for (path, kind), code in refusals.items():
        status, document = send(f"http://127.0.0.1:{small}{path}", kind, BODY, chunked)
        assert (status, document["error"]["code"]) == (RULES[code].status, code)


def test_a_refusal_reaches_our_client(small: int):
    refused = Client(f"http://127.0.0.1:{small}").predict(BODY)
    assert isinstance(refused, ErrorBody)
    assert refused.code == Code.TOO_LARGE


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [("/v1/predict", 10**9, 413), ("/v1/predict?skills=nothing", 100, 422), ("/nothing", 100, 404)],
)
def test_a_client_that_waits_with_its_body_is_refused_before_it_sends_any(
    usual: int, path: str, length: int, status: int
):
    head = request_bytes(
        "POST", path, Expect="100-continue", Content_Type="image/jpeg", Content_Length=str(length), Connection="x"
    )
    with connect(usual) as connection:
        connection.sendall(head)
        connection.settimeout(5)
        first = connection.recv(65536)
        assert first.startswith(f"HTTP/1.1 {status} ".encode())
        assert b"\r\nconnection: close\r\n" in first.lower()


def test_a_client_that_waits_with_its_body_is_asked_for_it(usual: int, photo: bytes):
    head = request_bytes(
        "POST", "/v1/predict", Expect="100-continue", Content_Type="image/jpeg", Content_Length=str(len(photo))
    )
    with connect(usual) as connection:
        connection.sendall(head)
        connection.settimeout(5)
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(photo)
        assert read(connection).status == 200


def test_a_refused_body_is_read_up_to_a_limit(predictor: Predictor):
    head = request_bytes("POST", "/v1/predict", Content_Type="image/jpeg", Content_Length=str(10**9))
    with on_a_port(predictor, ServingSettings(max_discard_bytes=10**6)) as port, connect(port) as connection:
        connection.sendall(head)
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            send_for_ever(connection, b"x" * 10**6)
