"""The packaged bento, served by `coachworks serve` in a process of its own, over real sockets."""

import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
from packaged_fleet import FLEET
from PIL import Image
from raw_http import exchange

from coachworks.child_server import free_port


@dataclass(frozen=True)
class Served:
    folder: Path
    port: int
    process: "subprocess.Popen[str]"
    output: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        return response.status, json.loads(text) if text.startswith(b"{") else {"text": text.decode()}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "coachworks.cli.main", *map(str, arguments)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, fabricated: ModuleType) -> Iterator[Served]:
    from components.package.step import package

    folder = tmp_path_factory.mktemp("served")
    fleet, _, register = fabricated.fabricate(folder)
    package(fleet, [register])
    (folder / "fleet.yaml").write_text(FLEET)
    port = free_port()
    log = (folder / "access.log").open("w")
    process = subprocess.Popen(
        command("serve", "-f", folder / "fleet.yaml", "--port", port),
        stdout=log,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's `&` would ignore it
    )
    output = ""
    assert process.stderr is not None
    while "openapi.json describes the API" not in output:
        line = process.stderr.readline()
        assert line, output
        output += line
    try:
        yield Served(folder, port, process, output)
    finally:
        process.terminate()
        process.wait(30)
        process.stderr.close()
        log.close()


def test_serve_prints_its_address_its_skills_and_an_example_request(served: Served):
    assert f"answers at {served.url}" in served.output
    assert "colour" in served.output
    assert "version 3" in served.output
    assert f"curl -F photo=@photo.jpg {served.url}/v1/predict" in served.output


def test_a_photo_is_answered(served: Served, fabricated: ModuleType):
    status, document = served.send("POST", "/v1/predict", fabricated.photo("green"), Content_Type="image/jpeg")
    assert status == 200
    assert document["answers"]["colour"]["label"] == "green"


def test_predict_with_a_server_gives_the_same_answers_as_without(
    served: Served, fabricated: ModuleType, tmp_path: Path
):
    photo = tmp_path / "car.png"
    photo.write_bytes(fabricated.photo((20, 40, 220), kind="PNG"))
    replies = [
        json.loads(
            subprocess.run(
                command("predict", photo, "--json", *where), check=True, capture_output=True, text=True, cwd=tmp_path
            ).stdout
        )
        for where in (["--url", served.url], ["-f", served.folder / "fleet.yaml"])
    ]
    for skill, answer in replies[0]["photos"][0]["answers"].items():
        other = replies[1]["photos"][0]["answers"][skill]
        assert answer["label"] == other["label"]
        assert answer["probability"] == pytest.approx(other["probability"], abs=1e-5)


@pytest.mark.parametrize("path", ["/livez", "/healthz", "/readyz"])
def test_probes_answer_in_our_shape(served: Served, path: str):
    assert served.send("GET", path) == (200, {"status": "ok"})


def test_no_path_answers_in_another_shape(served: Served):
    for path in ("/", "/docs.json", "/schema.json", "/assets/x", "/nothing"):
        status, document = served.send("GET", path)
        assert (status, document["error"]["code"]) == (404, "not-found")
    status, document = served.send("GET", "/v1/predict")
    assert (status, document["error"]["code"]) == (405, "method-not-allowed")


def test_a_request_that_breaks_the_protocol_is_refused_in_our_shape(served: Served):
    reply = exchange(served.port, b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n")
    assert (reply.status, reply.code, reply.closed) == (400, "malformed-request", "end")


def test_openapi_and_metrics_are_served(served: Served):
    assert "/v1/predict" in served.send("GET", "/openapi.json")[1]["paths"]
    assert "coachworks_model_info" in served.send("GET", "/metrics")[1]["text"]


def test_a_taken_port_is_refused(served: Served):
    done = subprocess.run(
        command("serve", "-f", served.folder / "fleet.yaml", "--port", served.port), capture_output=True, text=True
    )
    assert done.returncode == 2
    assert re.search(
        rf"port must be free; {served.port} on 127.0.0.1 is not: .* Choose another with `--port`", done.stderr
    )


def bomb(width: int, height: int, mode: str = "1") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, "PNG")
    return file.getvalue()


def declared_50_mb(served: Served) -> int:
    """Declare 50 MB, send 1 kB, read the response."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.sendall(
            b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: 52428800\r\n\r\n"
            + bytes(1000)
        )
        return int(connection.recv(4096).split()[1])


def chunked_50_mb(served: Served) -> int:
    """Send 50 MB without Content-Length; the response comes before the end."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.sendall(
            b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
        try:
            for _ in range(50):
                connection.sendall(chunk)
        except OSError:
            pass  # refused already: the answer is in the buffer, unless the reset overtook it
        try:
            return int(connection.recv(4096).split()[1])
        except ConnectionResetError:
            return 413


def gone_in_the_middle(served: Served) -> int:
    """Close the connection in the middle of the body."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.sendall(
            b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: 1000000\r\n\r\n"
            + bytes(100_000)
        )
    return 400


def test_two_hundred_hostile_requests_get_4xx_and_leave_the_memory_flat(served: Served, fabricated: ModuleType):
    red = fabricated.photo("red", size=(800, 600))

    def post(body: bytes, kind: str = "image/jpeg") -> Callable[[Served], int]:
        return lambda served: served.send("POST", "/v1/predict", body, Content_Type=kind)[0]

    attacks = [
        post(b"hello"),
        post(red[: len(red) // 2]),
        post(bomb(20_000, 20_000)),
        post(bomb(9_000, 9_000)),
        post(b"{}", "application/json"),
        post(b"x" * 100_000, "multipart/form-data; boundary=y"),
        post(b""),
        declared_50_mb,
        chunked_50_mb,
        gone_in_the_middle,
    ]
    workers = psutil.Process(served.process.pid).children(recursive=True)

    def memory() -> int:
        return sum(worker.memory_info().rss for worker in workers)

    for attack in attacks:
        assert 400 <= attack(served) < 500
    before = memory()
    for _ in range(19):
        for attack in attacks:
            assert 400 <= attack(served) < 500
    assert memory() - before < 100e6
    status, _ = served.send("POST", "/v1/predict", red, Content_Type="image/jpeg")
    assert status == 200
    assert served.send("GET", "/readyz")[0] == 200


def test_ctrl_c_stops_it_cleanly_and_the_log_is_json(served: Served):
    """Must be the last test of this file: it stops the server."""
    children = psutil.Process(served.process.pid).children(recursive=True)
    os.kill(served.process.pid, signal.SIGINT)
    assert served.process.wait(30) == 0
    assert served.process.stderr is not None
    assert "Stopped." in served.process.stderr.read()
    deadline = time.monotonic() + 10
    while any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    events = [json.loads(line) for line in (served.folder / "access.log").read_text().splitlines()]
    assert len(events) > 200
    assert {event["status"] for event in events} <= {200, 400, 404, 405, 413, 415, 422}
