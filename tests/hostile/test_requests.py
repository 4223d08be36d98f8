"""Requests of all kinds to a real server: of the documented interface, mutated, raw, too many, too large."""

import json
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from http_clients import CLIENTS
from mutated_requests import bodies, raw_requests
from raw_http import connect, exchange, request_bytes
from serving_process import ServingProcess, serving_process
from shared import build_once

from serving.answer_format import ErrorDocument, Prediction

pytestmark = pytest.mark.hostile

Measured = Callable[[str, str, str], None]
BODIES, RAW, SILENT = 10_000, 1_500, 1_100
QUICK = {"header_timeout_s": 2, "idle_timeout_s": 2, "upload_timeout_s": 2, "discard_timeout_s": 5}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, fabricated: ModuleType) -> Path:
    def build(folder: Path) -> None:
        from components.package.config import PackageConfig
        from components.package.step import package

        fleet, _, register = fabricated.fabricate(folder)
        result = package(fleet, [register], config=PackageConfig(build_bento=False))
        (result.path / "bundle").rename(folder / "bundle")

    return build_once(tmp_path_factory, "served-bundle", build) / "bundle"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Iterator[ServingProcess]:
    with serving_process(tmp_path_factory.mktemp("requests"), bundle, QUICK) as server:
        yield server


@pytest.fixture
def photo(fabricated: ModuleType) -> bytes:
    return bytes(fabricated.photo("red"))


def ask(connection: HTTPConnection, kind: str, body: bytes) -> tuple[int, Any]:
    """Send a photo, again where the server had closed the connection; return the status and the document."""
    for last in (False, True):
        try:
            connection.request("POST", "/v1/predict", body, {"Content-Type": kind})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, HTTPException):
            connection.close()
            if last:
                raise
    raise AssertionError


def answered(server: ServingProcess, photo: bytes, port: int | None = None) -> Any:
    connection = HTTPConnection("127.0.0.1", port or server.port, timeout=30)
    try:
        status, document = ask(connection, "image/jpeg", photo)
    finally:
        connection.close()
    assert status == 200, document
    return document["answers"]


def test_mutated_bodies_fail_nothing(server: ServingProcess, photo: bytes, measured: Measured):
    before, worker = answered(server, photo), server.worker().pid

    def send(part: Sequence[tuple[str, bytes]]) -> Counter[int]:
        connection, statuses = HTTPConnection("127.0.0.1", server.port, timeout=60), Counter[int]()
        for kind, body in part:
            status, document = ask(connection, kind, body)
            assert status < 500, (status, document, kind, body)
            (Prediction if status == 200 else ErrorDocument).model_validate(document)
            statuses[status] += 1
        connection.close()
        return statuses

    everything = list(bodies(BODIES))
    with ThreadPoolExecutor(4) as pool:
        statuses = sum(pool.map(send, [everything[start::4] for start in range(4)]), Counter[int]())
    assert answered(server, photo) == before
    assert server.worker().pid == worker
    result = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
    measured(f"{BODIES:,} mutated photos and forms", "no 5xx; a good photo gets the same answer after it", result)


def test_the_documented_interface_fails_nothing(server: ServingProcess, tmp_path: Path, measured: Measured):
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"http://127.0.0.1:{server.port}/openapi.json",
    ]
    checks = "not_a_server_error,response_schema_conformance,content_type_conformance,status_code_conformance"
    options = ["--checks", checks, "--seed", "1", "--max-examples", "300", "--max-time", "30", "--continue-on-failure"]
    done = subprocess.run(
        [*command, *options, "--phases", "examples,coverage,fuzzing"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    numbers = re.search(r"([\d,]+) generated", done.stdout)
    assert numbers is not None, done.stdout[-3000:]
    measured("schemathesis on the OpenAPI document", "no 5xx, every answer as documented", f"{numbers[1]} requests")


def test_raw_requests_fail_nothing(server: ServingProcess, photo: bytes, measured: Measured):
    before, worker = answered(server, photo), server.worker().pid
    requests, ports = list(raw_requests(RAW)), list(server.ports.values())

    def send(number: int) -> list[int]:
        request = requests[number]
        reply = exchange(ports[number % len(ports)], request, within_s=20)
        assert reply.closed != "open", request
        assert all(100 <= status < 500 for status in reply.statuses), (request, reply.data[:2000])
        if 400 <= reply.status < 500 and not request.startswith(b"HEAD"):
            ErrorDocument.model_validate(reply.document)
        return reply.statuses

    with ThreadPoolExecutor(48) as pool:
        answers = list(pool.map(send, range(RAW)))
    assert answered(server, photo) == before
    assert server.worker().pid == worker
    log = server.log.read_text("utf-8", "replace")
    assert "Traceback" not in log, log[log.index("Traceback") :][:3000]
    first = Counter(f"{statuses[0]}" if statuses else "closed" for statuses in answers)
    result = ", ".join(f"{count} × {status}" for status, count in sorted(first.items()))
    measured(f"{RAW:,} raw requests, of a grammar and mutated", "an answer below 500, or a closed connection", result)


def test_silent_connections_keep_nobody_out(tmp_path: Path, bundle: Path, photo: bytes, measured: Measured):
    with serving_process(tmp_path, bundle, open_files=1024) as server, ExitStack() as stack:
        usual = [seconds(server, photo) for _ in range(30)]
        ports = list(server.ports.values())
        for number in range(SILENT):
            connection = stack.enter_context(connect(ports[number % len(ports)]))
            connection.sendall(random.Random(number).choice((b"", b"GET /liv", request_bytes()[:-2])))  # noqa: S311
        crowded = [seconds(server, photo, ports[number % len(ports)]) for number in range(60)]
    median, worst = sorted(crowded)[30], max(crowded)
    assert worst < 2
    measured(
        f"{SILENT:,} silent connections, where a process may open 1,024 files",
        "good clients are answered",
        f"60 of 60 photos answered; median {median * 1000:.0f} ms (before: {sorted(usual)[15] * 1000:.0f} ms)",
    )


def seconds(server: ServingProcess, photo: bytes, port: int | None = None) -> float:
    began = time.monotonic()
    names = {"all": 2}.get(next(name for name, each in server.ports.items() if each == (port or server.port)), 1)
    assert len(answered(server, photo, port)) == names
    return time.monotonic() - began


@pytest.mark.parametrize("where", ["all", "colour"])
def test_a_refusal_reaches_a_client_that_sends_100_mb(server: ServingProcess, where: str, measured: Measured):
    body, url = b"\xff\xd8" + b"x" * (100 * 10**6), f"http://127.0.0.1:{server.ports[where]}/v1/predict"
    for send in CLIENTS:
        for chunked in (False, True):
            status, document = send(url, "image/jpeg", body, chunked)
            assert (status, document["error"]["code"]) == (413, "too-large"), (send, chunked)
            if chunked:  # by its length it is too large before its type is looked at
                status, document = send(url, "text/plain", body, chunked)
                assert (status, document["error"]["code"]) == (415, "unsupported-content-type"), (send, chunked)
    names = ", ".join(send.__name__.removeprefix("by_").replace("_", " ") for send in CLIENTS)
    measured("bodies of 100 MB", "the refusal reaches who sends everything first", f"{names}: all")
