"""A box sent along with a photo: what is classified, what the answer says, and how wrong boxes are refused."""

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
from http_service import JPEG, refused, wait_until_ready
from PIL import Image
from starlette.testclient import TestClient

from coachworks.photos import Box, Frame, parse_box
from serving.app import create_app
from serving.errors import Code, RefusalError
from serving.predictor import Predictor, Query
from serving.settings import ServingSettings


@pytest.fixture(scope="module")
def cropping(predictor: Predictor) -> Predictor:
    """Models that see boxes."""
    bundle = predictor.bundle
    return Predictor(replace(bundle, backbone=replace(bundle.backbone, crop="box", upright="table")), threads=1)


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


def _query(predictor: Predictor, photo: bytes, box: Box | None) -> Query:
    return Query(predictor.prepare(photo, Frame(box)), tuple(predictor.bundle.skills))


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


def test_a_photo_is_turned_as_the_client_says(client: TestClient, cropping: Predictor):
    image = Image.new("RGB", (192, 96), "blue")
    image.paste("red", (0, 0, 60, 96))
    upright, lying = io.BytesIO(), io.BytesIO()
    image.save(upright, "PNG")
    image.transpose(Image.Transpose.ROTATE_90).save(lying, "PNG")  # counter-clockwise
    pixels = cropping.prepare(upright.getvalue())
    assert (cropping.prepare(lying.getvalue(), Frame(None, 90)) == pixels).all()
    assert (cropping.prepare(lying.getvalue()) != pixels).any()
    answers = [
        client.post(f"/v1/predict{query}", content=file.getvalue(), headers=JPEG).json()
        for query, file in (("", upright), ("?rotation_degrees=90", lying))
    ]
    assert answers[0]["answers"] == answers[1]["answers"]
    assert [answer["turned_degrees"] for answer in answers] == [0, 90]


def test_wrong_rotations_and_models_that_take_none_are_refused(client: TestClient, predictor: Predictor, photo: bytes):
    response = client.post("/v1/predict?rotation_degrees=45", content=photo, headers=JPEG)
    message = "a rotation must be 0, 90, 180 or 270 degrees clockwise; got '45'"
    assert refused(response, Code.WRONG_ROTATION) == message
    with pytest.raises(RefusalError, match="must have been trained on turned photos to turn one; got 90"):
        predictor.prepare(photo, Frame(None, 90))
