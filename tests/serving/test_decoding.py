"""Photos that are costly to decode: each costs one request, large ones do not delay small ones, decoders may fail."""

import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest
from http_service import JPEG, refused, wait_until_ready
from PIL import Image
from starlette.testclient import TestClient

from coachworks.decoders import Decoders, DecodersDownError, Lane
from coachworks.decoders import pool as pools
from serving import decoding
from serving.app import create_app
from serving.errors import Code
from serving.predictor import Predictor
from serving.settings import ServingSettings


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "_FUNCTION", "decoder_functions:rgb_input")
        patch.setattr(decoding, "_SMALL_CPU_S", 0.2)
        patch.setattr(pools, "_RETRY_S", 0.05)
        yield patch


@pytest.fixture(scope="module")
def client(predictor: Predictor, patched: pytest.MonkeyPatch) -> Iterator[TestClient]:
    settings = ServingSettings(decode_cpu_s=1, answer_timeout_s=20, max_queue=16)
    with TestClient(create_app(lambda: predictor, settings)) as client:
        wait_until_ready(client)
        yield client


@pytest.fixture(scope="module")
def red(fabricated: ModuleType) -> bytes:
    return bytes(fabricated.photo("red"))


@pytest.fixture(scope="module")
def large() -> bytes:
    file = io.BytesIO()
    Image.new("1", (4100, 3000)).save(file, "PNG")
    return file.getvalue()


def post(client: TestClient, *photos: bytes) -> list[Any]:
    """Post all at the same time; return the responses in their order."""
    with ThreadPoolExecutor(len(photos)) as threads:
        return list(threads.map(lambda photo: client.post("/v1/predict", content=photo, headers=JPEG), photos))


def metric(client: TestClient, name: str) -> float:
    lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith(f"{name} ")]
    return float(lines[0].split()[1]) if lines else 0


@pytest.mark.parametrize("action", [b"exit", b"segfault", b"busy", b"allocate:1000000000"])
def test_a_photo_that_stops_its_decoder_costs_one_request(client: TestClient, red: bytes, action: bytes):
    before = metric(client, "coachworks_photos_too_costly_total")
    crafted, *good = post(client, red + b"act:" + action, *[red] * 8)
    assert "the file must be decoded" in refused(crafted, Code.TOO_COSTLY)
    assert "save it again as JPEG or PNG" in crafted.json()["error"]["way_out"]
    assert {response.status_code for response in good} == {200}
    assert client.get("/readyz").status_code == 200
    assert metric(client, "coachworks_photos_too_costly_total") == before + 1
    assert 'coachworks_decoders_replaced_total{cause="' in client.get("/metrics").text


def test_a_photo_over_the_limits_of_small_ones_is_decoded_among_the_large_ones(client: TestClient, red: bytes):
    assert client.post("/v1/predict", content=red + b"act:allocate:300000000", headers=JPEG).status_code == 200


def test_large_photos_are_decoded_one_at_a_time_and_do_not_delay_small_ones(
    client: TestClient, red: bytes, large: bytes
):
    with ThreadPoolExecutor(4) as threads:
        started = time.monotonic()
        slow = [threads.submit(post, client, large + b"act:sleep:0.3") for _ in range(3)]
        time.sleep(0.1)
        for _ in range(5):
            assert client.post("/v1/predict", content=red, headers=JPEG).status_code == 200
        assert not slow[-1].done()
        assert [each.result()[0].status_code for each in slow] == [200] * 3
        assert time.monotonic() - started >= 0.9


def test_large_photos_leave_places_in_the_queue(client: TestClient, red: bytes, large: bytes):
    responses = post(client, *[large + b"act:sleep:0.2"] * 6)
    assert sorted(response.status_code for response in responses) == [200] * 4 + [503] * 2
    overloaded = next(response for response in responses if response.status_code == 503)
    assert refused(overloaded, Code.OVERLOADED) == "4 large photos are already waiting for answers"
    assert overloaded.headers["Retry-After"]


def test_a_photo_whose_time_is_over_while_it_waits_is_not_decoded(
    predictor: Predictor, patched: pytest.MonkeyPatch, large: bytes
):
    decoded = []
    real = Decoders.run

    def run(self: Decoders, data: bytes, lane: str, *, wall_s: float) -> bytearray:
        decoded.append(lane)
        return real(self, data, lane, wall_s=wall_s)

    with (
        pytest.MonkeyPatch.context() as patch,
        TestClient(create_app(lambda: predictor, ServingSettings(answer_timeout_s=1))) as client,
    ):
        wait_until_ready(client)
        patch.setattr(Decoders, "run", run)
        photos = [large + b"act:sleep:1.2", large + b"act:sleep:1.3"]
        for response in post(client, *photos):
            assert "the answer was not ready within 1 s" in refused(response, Code.OVERLOADED)
        time.sleep(0.5)
    assert decoded.count("large") == 1


def test_the_service_is_not_ready_while_no_decoder_works(
    client: TestClient, red: bytes, monkeypatch: pytest.MonkeyPatch
):
    real, failing = pools.Template.fork, True

    def fork(self: Any, lane: Lane) -> Any:
        if failing:
            raise DecodersDownError("no decoder process can be started. The log says why.")
        return real(self, lane)

    monkeypatch.setattr(pools.Template, "fork", fork)
    for _ in range(3):
        client.post("/v1/predict", content=red + b"act:exit", headers=JPEG)
    deadline = time.monotonic() + 10
    while client.get("/readyz").status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert "no decoder process works" in refused(client.get("/readyz"), Code.NOT_READY)
    response = client.post("/v1/predict", content=red, headers=JPEG)
    refused(response, Code.NOT_READY)
    assert response.headers["Retry-After"]
    assert client.get("/livez").status_code == 200
    failing = False
    wait_until_ready(client)
    assert {response.status_code for response in post(client, *[red] * 4)} == {200}
