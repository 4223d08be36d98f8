"""A few mutated bodies and raw requests; `tests/hostile/test_requests.py` sends thousands."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest
from http_service import JPEG, wait_until_ready
from mutated_requests import bodies, raw_requests
from raw_http import exchange, on_a_port
from starlette.testclient import TestClient

from serving.answer_format import ErrorDocument, Prediction
from serving.app import create_app
from serving.predictor import Predictor
from serving.settings import ServingSettings


@pytest.fixture(scope="module")
def client(predictor: Predictor) -> Iterator[TestClient]:
    with TestClient(create_app(lambda: predictor)) as client:
        wait_until_ready(client)
        yield client


def test_a_mutated_body_is_answered_or_refused_and_a_good_photo_answered_after_it(
    client: TestClient, fabricated: ModuleType
):
    photo = fabricated.photo("red")
    before = client.post("/v1/predict", content=photo, headers=JPEG).json()
    for kind, body in bodies(200):
        answer = client.post("/v1/predict", content=body, headers={"content-type": kind})
        assert answer.status_code < 500, (kind, body)
        (Prediction if answer.status_code == 200 else ErrorDocument).model_validate(answer.json())
    assert client.post("/v1/predict", content=photo, headers=JPEG).json() == before


def test_a_raw_request_is_answered_or_closed(predictor: Predictor):
    quick = ServingSettings(header_timeout_s=1, idle_timeout_s=1, upload_timeout_s=1, discard_timeout_s=1)
    requests = list(raw_requests(60))
    with on_a_port(predictor, quick) as port, ThreadPoolExecutor(60) as pool:
        for request, reply in zip(requests, pool.map(lambda each: exchange(port, each), requests), strict=True):
            assert reply.closed != "open", request
            assert all(200 <= status < 500 for status in reply.statuses), (request, reply)
