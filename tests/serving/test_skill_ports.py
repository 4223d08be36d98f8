"""A skill port answers for one skill: through the app, and over inherited sockets."""

import asyncio
import http.client
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI
from http_service import refused
from starlette.testclient import TestClient

from coachworks.errors import InvalidConfigError
from coachworks.models.manifest import Manifest
from serving.app import create_app
from serving.errors import Code
from serving.pod_config import PodConfig
from serving.predictor import Predictor
from serving.settings import ServingSettings
from serving.sockets import inherited_sockets, open_sockets, sockets_environment

JPEG = {"content-type": "image/jpeg"}
COLOUR, LIGHT = "http://pod:9000", "http://pod:9001"


def pod(manifest: Manifest, ports: dict[int, str]) -> PodConfig:
    return PodConfig(manifest=manifest, group="shared", track="canary", ports=ports)


@pytest.fixture(scope="module")
def client(predictor: Predictor, manifest: Manifest) -> Iterator[TestClient]:
    app = create_app(lambda: predictor, pod=pod(manifest, {9000: "colour", 9001: "light"}))
    with TestClient(app, base_url="http://pod:3000") as client:
        yield client


@pytest.fixture
def red(fabricated: ModuleType) -> bytes:
    return bytes(fabricated.photo("red"))


# through the app


def test_a_skill_port_answers_its_skill_and_the_main_port_all(client: TestClient, red: bytes):
    answers = {
        where: list(client.post(f"{where}/v1/predict", content=red, headers=JPEG).json()["answers"])
        for where in ("", COLOUR, LIGHT)
    }
    assert answers == {"": ["colour", "light"], COLOUR: ["colour"], LIGHT: ["light"]}


def test_a_port_lists_its_skill(client: TestClient):
    assert list(client.get(f"{LIGHT}/v1/skills").json()["skills"]) == ["light"]
    assert list(client.get("/v1/skills").json()["skills"]) == ["colour", "light"]


def test_a_skill_port_accepts_its_own_skill_by_name_and_no_other(client: TestClient, red: bytes):
    response = client.post(f"{LIGHT}/v1/predict?skills=light", content=red, headers=JPEG)
    assert list(response.json()["answers"]) == ["light"]
    response = client.post(f"{LIGHT}/v1/predict?skills=colour", content=red, headers=JPEG)
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "unknown-skill"
    assert response.json()["error"]["message"] == "skills must be among light; got 'colour'."


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_probes_are_the_same_on_every_port(client: TestClient, path: str):
    assert client.get(f"{COLOUR}{path}").status_code == client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/openapi.json"])
def test_what_is_about_all_skills_is_on_the_main_port_only(client: TestClient, path: str):
    assert client.get(path).status_code == 200
    assert refused(client.get(f"{COLOUR}{path}"), Code.NOT_FOUND) == f"there is nothing under {path!r}"


def test_the_log_names_the_pod_and_the_skill(
    client: TestClient, red: bytes, manifest: Manifest, capsys: pytest.CaptureFixture[str]
):
    capsys.readouterr()
    for address in (f"{COLOUR}/v1/predict", "/v1/predict?skills=light,colour", "/v1/predict"):
        client.post(address, content=red, headers=JPEG)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["skill"] for event in events] == ["colour", "light,colour", None]
    identity = {"fleet": "showroom", "bundle": manifest.digest()[:12], "group": "shared", "track": "canary"}
    assert all(identity.items() <= event.items() for event in events)


def test_outside_a_pod_the_log_names_the_bundle(predictor: Predictor, red: bytes, capsys: pytest.CaptureFixture[str]):
    with TestClient(create_app(lambda: predictor), base_url="http://pod:9000") as client:
        while client.get("/readyz").status_code != 200:
            pass
        capsys.readouterr()
        assert client.post("/v1/predict", content=red, headers=JPEG).status_code == 200
    event = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (event["fleet"], event["bundle"]) == ("showroom", predictor.bundle.digest)
    assert (event["group"], event["track"], event["skill"]) == (None, None, None)


def test_metrics_have_the_skill_of_the_port(client: TestClient, red: bytes):
    client.post("/v1/predict", content=red, headers=JPEG)
    client.post(f"{COLOUR}/v1/predict", content=red, headers=JPEG)
    text = client.get("/metrics").text
    for skill in ("", "colour"):
        assert f'coachworks_requests_total{{method="POST",path="/v1/predict",skill="{skill}",status="200"}}' in text
        assert f'coachworks_request_seconds_count{{path="/v1/predict",skill="{skill}"}}' in text


def test_in_a_pod_requests_wait_for_models_that_are_being_loaded(predictor: Predictor, manifest: Manifest, red: bytes):
    door = threading.Event()

    def load() -> Predictor:
        door.wait(10)
        return predictor

    with TestClient(create_app(load, pod=pod(manifest, {9000: "colour"}))) as client:
        assert client.get("/readyz").status_code == 503
        threading.Timer(0.3, door.set).start()
        assert client.post("/v1/predict", content=red, headers=JPEG).status_code == 200


def test_requests_wait_for_models_up_to_the_timeout(predictor: Predictor, manifest: Manifest, red: bytes):
    door = threading.Event()

    def load() -> Predictor:
        door.wait(10)
        return predictor

    app = create_app(load, ServingSettings(answer_timeout_s=1), pod=pod(manifest, {}))
    with TestClient(app) as client:
        response = client.post("/v1/predict", content=red, headers=JPEG)
        door.set()
    assert response.json()["error"]["code"] == "not-ready"


# draining


def test_a_draining_pod_closes_connections_and_is_not_ready(
    predictor: Predictor, manifest: Manifest, tmp_path: Path, red: bytes
):
    file = tmp_path / "draining"
    app = create_app(lambda: predictor, pod=pod(manifest, {9000: "colour"}), draining=file)
    with TestClient(app) as client:
        assert "connection" not in client.post(f"{COLOUR}/v1/predict", content=red, headers=JPEG).headers
        assert client.get("/readyz").status_code == 200
        file.touch()
        response = client.post(f"{COLOUR}/v1/predict", content=red, headers=JPEG)
        assert (response.status_code, response.headers["connection"]) == (200, "close")
        assert client.post("/v1/predict", content=b"x", headers=JPEG).headers["connection"] == "close"
        response = client.get("/readyz")
        assert (response.status_code, response.headers["connection"]) == (503, "close")
        assert response.json()["error"]["message"] == "the pod is about to stop"
        assert client.get("/livez").status_code == 200
        file.unlink()
        assert client.get("/readyz").status_code == 200


# over sockets


def ask(port: int, photo: bytes) -> tuple[int, list[str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", "/v1/predict", photo, JPEG)
        response = connection.getresponse()
        return response.status, list(json.loads(response.read())["answers"])
    finally:
        connection.close()


def serve(
    load: Callable[[], Predictor], manifest: Manifest, inside: Callable[[dict[str, int]], Awaitable[Any]]
) -> dict[str, int]:
    """Run the app with a socket per skill, like a worker that inherited them; return the ports."""
    sockets = dict(zip(("colour", "light"), open_sockets("127.0.0.1", [0, 0]), strict=True))
    ports = {skill: each.getsockname()[1] for skill, each in sockets.items()}
    app: FastAPI = create_app(
        load,
        pod=pod(manifest, {port: skill for skill, port in ports.items()}),
        socket_fds=[each.detach() for each in sockets.values()],
    )

    async def main() -> None:
        async with app.router.lifespan_context(app):
            await inside(ports)

    asyncio.run(main())
    return ports


def test_every_inherited_socket_answers_its_skill(predictor: Predictor, manifest: Manifest, red: bytes):
    async def inside(ports: dict[str, int]) -> None:
        for skill, port in ports.items():
            assert await asyncio.to_thread(ask, port, red) == (200, [skill])

    for port in serve(lambda: predictor, manifest, inside).values():
        with pytest.raises(ConnectionRefusedError):
            ask(port, red)


def test_requests_in_flight_at_the_end_are_answered(predictor: Predictor, manifest: Manifest, red: bytes):
    begun, door = threading.Event(), threading.Event()
    answers: list[tuple[int, list[str]]] = []

    class Slow(Predictor):
        def answer_queries(self, queries: Any) -> Any:
            begun.set()
            door.wait(10)
            return super().answer_queries(queries)

        def warm_up(self) -> None: ...

    slow = Slow(predictor.bundle, 1)

    async def inside(ports: dict[str, int]) -> None:
        threading.Thread(target=lambda: answers.append(ask(ports["colour"], red))).start()
        await asyncio.to_thread(begun.wait, 10)
        threading.Timer(0.5, door.set).start()

    serve(lambda: slow, manifest, inside)
    assert answers == [(200, ["colour"])]


def test_sockets_are_inherited_by_child_processes():
    [listening] = open_sockets("127.0.0.1", [0])
    with listening:
        code = (
            "import socket; from serving.sockets import inherited_sockets; [each] = inherited_sockets();"
            "print(socket.socket(fileno=each).getsockname()[1])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=sockets_environment([listening]),
            close_fds=False,
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(done.stdout) == listening.getsockname()[1]
    assert inherited_sockets({}) == ()


def test_a_taken_port_is_refused(manifest: Manifest):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            InvalidConfigError, match=rf"every skill must be free; {port} on 127.0.0.1 is not: .*in use"
        ):
            open_sockets("127.0.0.1", [0, port])


def test_a_host_that_is_not_an_address_is_refused():
    with pytest.raises(InvalidConfigError, match="host must be an IP address; got 'nowhere'"):
        open_sockets("nowhere", [0])
