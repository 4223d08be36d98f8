"""A box sent along with a photo: what is classified, what the answer says, and how wrong boxes are refused."""

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
from http_service import JPEG, refused, wait_until_ready
from PIL import Image
from starlette.testclient import TestClient

from coachworks.photos import parse_box
from serving.app import create_app
from serving.errors import Code
from serving.predictor import Predictor
from serving.settings import ServingSettings


@pytest.fixture(scope="module")
def cropping(predictor: Predictor) -> Predictor:
    """Models that see boxes."""
    bundle = predictor.bundle
    return Predictor(replace(bundle, backbone=replace(bundle.backbone, crop="box")), threads=1)


@pytest.fixture(scope="module")
def client(cropping: Predictor) -> Iterator[TestClient]:
    with TestClient(create_app(lambda: cropping, ServingSettings(decoders=1))) as client:
        wait_until_ready(client)
        yield client


@pytest.fixture(scope="module")
def photo() -> bytes:
    """Blue, but for a red part."""
    image = Image.new("RGB", (200, 100), "blue")
    image.paste("red", (100, 0, 200, 100))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_the_box_is_classified_and_the_answer_says_so(client: TestClient, cropping: Predictor, photo: bytes):
    seen = {}
    for box in ("100,0,200,100", "0,0,100,100", ""):
        query = f"?box={box}" if box else ""
        response = client.post(f"/v1/predict{query}", content=photo, headers=JPEG)
        assert response.status_code == 200, response.text
        seen[box] = response.json()
        part = parse_box(box) if box else None
        [expected] = cropping.answer_queries([_query(cropping, photo, part)])
        assert response.json()["answers"]["colour"]["probability"] == pytest.approx(
            expected["colour"].probability, abs=1e-5
        )
    assert [document["seen"] for document in seen.values()] == ["box", "box", "whole-photo"]
    assert seen["100,0,200,100"]["answers"] != seen["0,0,100,100"]["answers"]
    form = client.post("/v1/predict?box=100,0,200,100", files={"photo": photo})
    assert form.json()["answers"] == seen["100,0,200,100"]["answers"]


def _query(predictor: Predictor, photo: bytes, box):
    from serving.predictor import Query

    return Query(predictor.prepare(photo, box), tuple(predictor.bundle.skills))


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ("1,2,3", "a box must be four numbers x1,y1,x2,y2; got '1,2,3'"),
        ("50,0,20,10", "a box x1,y1,x2,y2 must have x1 < x2 and y1 < y2; got '50,0,20,10'"),
        ("0,0,201,100", "a box must lie inside its photo, which is 200 × 100 pixels upright; got '0,0,201,100'"),
    ],
)
def test_wrong_boxes_are_refused(client: TestClient, photo: bytes, box: str, message: str):
    response = client.post(f"/v1/predict?box={box}", content=photo, headers=JPEG)
    assert refused(response, Code.WRONG_BOX) == message
    assert "in pixels of the upright photo; without `box`, the whole" in response.json()["error"]["way_out"]


def test_models_of_whole_photos_take_no_box(predictor: Predictor, photo: bytes):
    with TestClient(create_app(lambda: predictor, ServingSettings(decoders=1))) as client:
        wait_until_ready(client)
        response = client.post("/v1/predict?box=0,0,10,10", content=photo, headers=JPEG)
        message = "the models must have been trained on boxes to take one; got '0,0,10,10'"
        assert refused(response, Code.WRONG_BOX) == message
        assert "seen" not in client.post("/v1/predict", content=photo, headers=JPEG).json()
