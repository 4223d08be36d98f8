"""`python -m serving.launcher`: the command that it execs, and a real server that is killed, drained and stopped."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType

import psutil
import pytest
from certificates import Authority
from raw_http import exchange, request_bytes

from coachworks.child_server import free_port
from coachworks.tls import client_context
from serving import launcher
from serving.launcher import exec_bentoml, main, serve_target

WriteConfig = Callable[..., Path]


class Replaced(Exception):  # noqa: N818 — the process was replaced
    """Raised in place of `os.execve`."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self.command, self.environ = command, environ


@pytest.fixture
def no_exec(monkeypatch: pytest.MonkeyPatch) -> None:
    def execve(path: str, command: list[str], environ: dict[str, str]) -> None:
        raise Replaced(command, environ)

    monkeypatch.setattr(os, "execve", execve)


def test_it_serves_the_bento_of_the_variable_then_the_mounted_one_then_this_code(tmp_path: Path):
    assert serve_target({"COACHWORKS_BENTO": "/elsewhere"}, tmp_path) == "/elsewhere"
    assert serve_target({}, tmp_path) == str(tmp_path)
    assert serve_target({}, tmp_path / "nothing") == "serving.service:Answers"


@pytest.mark.usefixtures("no_exec")
def test_it_listens_for_every_skill_and_execs_bentoml_serve(
    write_config: WriteConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    port, draining = free_port(), tmp_path / "draining"
    draining.touch()  # left by an earlier container
    environ = {
        "COACHWORKS_RELEASE": str(write_config({"colour": port})),
        "COACHWORKS_DRAINING": str(draining),
        "COACHWORKS_BENTO": "/elsewhere",
    }
    with pytest.raises(Replaced) as replaced:
        exec_bentoml("127.0.0.1", 3000, environ)
    command = ["bentoml", "serve", "/elsewhere", "--host", "127.0.0.1", "--port", "3000", "--quiet"]
    assert replaced.value.command == [sys.executable, "-m", *command]
    fd = int(replaced.value.environ["COACHWORKS_LISTENING"])
    assert os.get_inheritable(fd)
    with socket.socket(fileno=os.dup(fd)) as listening:  # a duplicate: the original is closed by its owner
        assert listening.getsockname() == ("127.0.0.1", port)
        socket.create_connection(("127.0.0.1", port)).close()
    assert environ.items() <= replaced.value.environ.items()
    assert not draining.exists()
    assert capsys.readouterr().err == (f"serving /elsewhere on 127.0.0.1: all skills at 3000, colour at {port}\n")


@pytest.mark.usefixtures("no_exec")
def test_outside_a_pod_it_listens_on_no_further_port():
    with pytest.raises(Replaced) as replaced:
        exec_bentoml("127.0.0.1", 3000, {})
    assert replaced.value.environ["COACHWORKS_LISTENING"] == ""


@pytest.mark.usefixtures("no_exec")
def test_a_configuration_that_cannot_be_read_is_one_line_and_status_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("COACHWORKS_RELEASE", str(tmp_path))
    with pytest.raises(SystemExit, match=r"^Error: the folder that COACHWORKS_RELEASE names must hold manifest.json"):
        main([])


@pytest.mark.parametrize(
    ("variable", "reason"),
    [
        ("COACHWORKS_API_KEYS", "must hold at least one key: it is empty"),
        ("COACHWORKS_CERTIFICATE", "must hold a valid certificate and its private key: tls.crt cannot be read"),
    ],
)
@pytest.mark.usefixtures("no_exec")
def test_a_secret_that_cannot_be_used_is_one_line_and_status_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, reason: str
):
    monkeypatch.setenv(variable, str(tmp_path))
    with pytest.raises(SystemExit, match=rf"^Error: .*{tmp_path},? {reason}"):
        main([])


def test_it_is_the_command_of_the_image():
    dockerfile = (Path(__file__).parents[2] / "Dockerfile").read_text("utf-8")
    [stage] = re.findall(r"^FROM \S+ AS serving$.*?^CMD (.*?)$", dockerfile, flags=re.MULTILINE | re.DOTALL)
    assert json.loads(stage) == ["python", "-m", launcher.__name__]


# with a real server


@dataclass(frozen=True)
class Running:
    process: "subprocess.Popen[bytes]"
    ports: dict[str, int]
    draining: Path
    log: Path
    authority: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def worker(self) -> psutil.Process:
        [worker] = psutil.Process(self.process.pid).children()
        return worker

    def send(self, port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        if self.authority is not None:
            context = client_context(self.authority)
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context)
        try:
            connection.request(method, path, body, {"Content-Type": "image/jpeg", **self.headers})
            response = connection.getresponse()
            return response.status, dict(response.headers), response.read().decode()
        finally:
            connection.close()

    def ask(self, port: int, photo: bytes) -> tuple[int, list[str]]:
        status, _, text = self.send(port, "POST", "/v1/predict", photo)
        return status, sorted(json.loads(text).get("answers", text))

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if self.send(self.ports["all"], "GET", "/readyz")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        pytest.fail(self.log.read_text())


@contextmanager
def launched(folder: Path, bundle_folder: Path, authority: Path | None = None, **variables: str) -> Iterator[Running]:
    ports = {"all": free_port(), "colour": free_port(), "light": free_port()}
    (folder / "release").mkdir()
    (folder / "release/manifest.json").write_bytes((bundle_folder / "manifest.json").read_bytes())
    pods = {"group": "shared", "track": "stable", "ports": {skill: ports[skill] for skill in ("colour", "light")}}
    (folder / "release/pods.json").write_text(json.dumps(pods))
    environ = {
        **os.environ,
        "COACHWORKS_RELEASE": str(folder / "release"),
        "COACHWORKS_BUNDLE": str(bundle_folder),
        "COACHWORKS_DRAINING": str(folder / "draining"),
        "BENTOML_HOME": str(folder / "home"),
        **variables,
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "serving.launcher", "--host", "127.0.0.1", "--port", str(ports["all"])],
            cwd=folder,
            env=environ,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    running = Running(process, ports, folder / "draining", folder / "log", authority)
    try:
        running.wait_until_ready()
        yield running
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> Iterator[Running]:
    with launched(tmp_path_factory.mktemp("pod"), bundle_folder) as running:
        yield running


@pytest.mark.slow
def test_every_port_speaks_tls_and_asks_for_a_key(tmp_path: Path, bundle_folder: Path, fabricated: ModuleType):
    mounted = Authority().sign("127.0.0.1").write(tmp_path / "certificate")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "partner").write_text("k" * 40)
    secrets = {"COACHWORKS_CERTIFICATE": str(mounted), "COACHWORKS_API_KEYS": str(tmp_path / "keys")}
    photo = fabricated.photo("red")
    with launched(tmp_path, bundle_folder, mounted / "ca.crt", **secrets) as pod:
        with_key = replace(pod, headers={"X-API-Key": "k" * 40})
        for name, port in pod.ports.items():
            assert pod.send(port, "POST", "/v1/predict", photo)[0] == 401
            assert with_key.send(port, "POST", "/v1/predict", photo)[0] == 200
            assert with_key.send(port, "GET", "/metrics")[0] == (200 if name == "all" else 404)
            with pytest.raises(OSError, match=r"(?i)closed|reset"):
                replace(pod, authority=None).send(port, "GET", "/livez")


def test_every_port_answers_its_skills(running: Running, fabricated: ModuleType):
    photo = fabricated.photo("red")
    answers = {name: running.ask(port, photo) for name, port in running.ports.items()}
    assert answers == {"all": (200, ["colour", "light"]), "colour": (200, ["colour"]), "light": (200, ["light"])}


def test_no_request_is_refused_when_the_worker_is_killed(running: Running, fabricated: ModuleType):
    photo, before = fabricated.photo("red"), running.worker()
    before.kill()
    before.wait(5)
    began = time.monotonic()
    with ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(lambda port: running.ask(port, photo), [*running.ports.values()] * 4))
    assert [status for status, _ in replies] == [200] * 12
    assert running.worker().pid != before.pid
    assert time.monotonic() - began < 30


def test_every_port_has_our_protocol(running: Running):
    """BentoML starts the server of the main port, and we those of the skills."""
    both = request_bytes("POST", "/v1/predict", Content_Length="3", Transfer_Encoding="chunked")
    upgrade = request_bytes(path="/nothing", Upgrade="websocket", Connection="Upgrade, close")
    for port in running.ports.values():
        for request, status, code in ((both, 400, "malformed-request"), (upgrade, 404, "not-found")):
            reply = exchange(port, request)
            assert (reply.status, reply.code, reply.closed) == (status, code, "end")


def test_a_draining_pod_closes_connections(running: Running, fabricated: ModuleType):
    running.draining.touch()
    try:
        status, headers, _ = running.send(running.ports["colour"], "POST", "/v1/predict", fabricated.photo("red"))
        assert (status, headers["connection"]) == (200, "close")
        assert running.send(running.ports["all"], "GET", "/readyz")[0] == 503
    finally:
        running.draining.unlink()


def test_sigterm_stops_after_the_requests_in_flight_on_every_port(running: Running, fabricated: ModuleType):
    """Must come after the tests above: it stops the server."""
    photo = fabricated.photo("red")
    head = f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: {len(photo)}\r\n\r\n"
    connections = [socket.create_connection(("127.0.0.1", port), timeout=30) for port in running.ports.values()]
    for connection in connections:
        connection.sendall(head.encode() + photo[:100])
    time.sleep(0.5)
    running.process.send_signal(signal.SIGTERM)
    time.sleep(1.5)
    for connection in connections:
        connection.sendall(photo[100:])
    for connection in connections:
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.close()
    assert running.process.wait(30) == 0
    for port in running.ports.values():
        with pytest.raises(ConnectionRefusedError):
            running.ask(port, photo)


def test_the_log_is_json(running: Running):
    lines = running.log.read_text().splitlines()
    assert lines[0].startswith("serving serving.service:Answers on 127.0.0.1: all skills at ")
    events = [json.loads(line) for line in lines[1:]]
    assert {event["status"] for event in events} == {200, 404}
    assert {(event["fleet"], event["group"], event["track"]) for event in events} == {("showroom", "shared", "stable")}
    assert {event["skill"] for event in events} == {"colour", "light", None}
