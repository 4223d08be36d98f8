import io
import json
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI
from http_service import JPEG, refused, wait_until_ready
from PIL import Image
from raw_http import exchange, on_a_port
from starlette.testclient import TestClient

from serving.app import create_app
from serving.errors import Code
from serving.predictor import Predictor
from serving.response_headers import HEADERS
from serving.settings import ServingSettings


@pytest.fixture(scope="module")
def app(predictor: Predictor) -> FastAPI:
    return create_app(lambda: predictor, ServingSettings(max_body_bytes=1_000_000, upload_timeout_s=5))


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        wait_until_ready(client)
        yield client


@pytest.fixture
def red(fabricated: ModuleType) -> bytes:
    return bytes(fabricated.photo("red"))


# answers


def test_a_raw_photo_gets_every_skills_answer(client: TestClient, red: bytes):
    response = client.post("/v1/predict", content=red, headers=JPEG)
    assert response.status_code == 200
    document = response.json()
    assert document["fleet"] == "showroom"
    assert list(document["answers"]) == ["colour", "light"]
    answer = document["answers"]["colour"]
    assert set(answer) == {"label", "probability", "runner_up", "model_version"}
    assert answer["label"] == "red"
    assert answer["model_version"] == "3"


def test_a_photo_in_a_form_gets_the_same_answer_as_a_raw_one(client: TestClient, red: bytes):
    raw = client.post("/v1/predict", content=red, headers=JPEG).json()
    form = client.post("/v1/predict", files={"photo": ("car.jpg", red, "image/jpeg")}, data={"note": "a car"})
    assert form.json() == raw


def test_answers_are_those_of_the_predictor(client: TestClient, predictor: Predictor, red: bytes):
    [expected] = predictor.answer([red], probabilities=True)
    actual = client.post("/v1/predict?probabilities=true", content=red, headers=JPEG).json()["answers"]
    assert actual == {skill: answer.model_dump() for skill, answer in expected.items()}


@pytest.mark.parametrize("query", ["skills=light", "skills=%20light%20,", "skills=light&skills=light"])
def test_skills_picks_some(client: TestClient, red: bytes, query: str):
    assert list(client.post(f"/v1/predict?{query}", content=red, headers=JPEG).json()["answers"]) == ["light"]


def test_skills_are_listed_with_labels_and_versions(client: TestClient):
    document = client.get("/v1/skills").json()
    assert document["backbone"] == "tiny"
    assert document["skills"]["colour"] == {
        "question": "Which colour?",
        "labels": ["red", "green", "blue"],
        "threshold": None,
        "model_version": "3",
        "kind": "linear",
    }


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_every_format_of_ingest_is_answered(client: TestClient, fabricated: ModuleType, kind: str):
    photo = fabricated.photo("blue", kind=kind)
    response = client.post("/v1/predict", content=photo, headers={"content-type": "application/octet-stream"})
    assert response.json()["answers"]["colour"]["label"] == "blue"


# refusals


def bomb() -> bytes:
    file = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(file, "PNG")
    return file.getvalue()


REFUSED: dict[str, tuple[Callable[[bytes], bytes], dict[str, str], Code]] = {
    "no body": (lambda red: b"", JPEG, Code.EMPTY),
    "no body and no type": (lambda red: b"", {}, Code.EMPTY),
    "text": (lambda red: b"hello", JPEG, Code.NOT_A_PHOTO),
    "HTML as an image": (lambda red: b"<html><body>503</body></html>", JPEG, Code.NOT_A_PHOTO),
    "SVG": (
        lambda red: b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        {"content-type": "image/svg+xml"},
        Code.NOT_A_PHOTO,
    ),
    "PDF": (lambda red: b"%PDF-1.7 ...", JPEG, Code.NOT_A_PHOTO),
    "HEIC": (lambda red: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", JPEG, Code.UNSUPPORTED_FORMAT),
    "half a photo": (lambda red: red[: len(red) // 2], JPEG, Code.TRUNCATED),
    "only the head": (lambda red: red[:20], JPEG, Code.TRUNCATED),
    "a bomb": (lambda red: bomb(), JPEG, Code.TOO_MANY_PIXELS),
    "more than allowed": (lambda red: red + bytes(1_000_000), JPEG, Code.TOO_LARGE),
    "JSON": (lambda red: b"{}", {"content-type": "application/json"}, Code.UNSUPPORTED_CONTENT_TYPE),
    "a form's text": (
        lambda red: b"photo=x",
        {"content-type": "application/x-www-form-urlencoded"},
        Code.UNSUPPORTED_CONTENT_TYPE,
    ),
    "no type": (lambda red: red, {}, Code.UNSUPPORTED_CONTENT_TYPE),
    "a form without boundary": (lambda red: red, {"content-type": "multipart/form-data"}, Code.MALFORMED_MULTIPART),
    "a malformed form": (
        lambda red: red,
        {"content-type": "multipart/form-data; boundary=x"},
        Code.MALFORMED_MULTIPART,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_body_that_is_not_a_photo_is_refused_in_the_one_shape(client: TestClient, red: bytes, name: str):
    body, headers, code = REFUSED[name]
    refused(client.post("/v1/predict", content=body(red), headers=headers), code)


def test_a_form_without_the_photo_is_refused(client: TestClient, red: bytes):
    response = client.post("/v1/predict", files={"image": ("car.jpg", red, "image/jpeg")})
    assert "field 'photo'; got the fields ['image']" in refused(response, Code.MISSING_PHOTO)


def test_text_in_place_of_the_photo_is_refused(client: TestClient, red: bytes):
    response = client.post("/v1/predict", data={"photo": "car.jpg"}, files={"other": b"x"})
    assert "got text" in refused(response, Code.MISSING_PHOTO)


def test_an_empty_file_in_a_form_is_refused(client: TestClient):
    refused(client.post("/v1/predict", files={"photo": ("car.jpg", b"", "image/jpeg")}), Code.EMPTY)


def test_two_photos_are_refused(client: TestClient, red: bytes):
    files = [("photo", ("a.jpg", red, "image/jpeg")), ("photo", ("b.jpg", red, "image/jpeg"))]
    assert "one file; got 2" in refused(client.post("/v1/predict", files=files), Code.SEVERAL_PHOTOS)


def test_a_form_of_very_many_parts_is_refused(client: TestClient):
    files = [(f"part{i}", ("x", b"x", "text/plain")) for i in range(200)]
    refused(client.post("/v1/predict", files=files), Code.MALFORMED_MULTIPART)


def test_an_unknown_skill_is_refused_with_the_closest_name(client: TestClient, red: bytes):
    response = client.post("/v1/predict?skills=light,color", content=red, headers=JPEG)
    assert "got 'color'. Did you mean `colour`?" in refused(response, Code.UNKNOWN_SKILL)


def test_a_parameter_of_the_wrong_type_is_refused(client: TestClient, red: bytes):
    response = client.post("/v1/predict?probabilities=perhaps", content=red, headers=JPEG)
    assert "probabilities" in refused(response, Code.INVALID_PARAMETER)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/predict/", "/docs", "/v2/predict", "/%00"])
def test_an_unknown_path_is_refused(client: TestClient, path: str):
    refused(client.get(path, follow_redirects=False), Code.NOT_FOUND)


@pytest.mark.parametrize(
    ("method", "path", "allowed"), [("GET", "/v1/predict", "POST"), ("DELETE", "/v1/skills", "GET")]
)
def test_a_wrong_method_is_refused_with_the_allowed_one(client: TestClient, method: str, path: str, allowed: str):
    response = client.request(method, path)
    refused(response, Code.METHOD_NOT_ALLOWED)
    assert response.headers["allow"] == allowed


def test_a_declared_length_over_the_limit_is_refused_before_the_body_is_read(client: TestClient):
    read = 0

    def body() -> Iterator[bytes]:
        nonlocal read
        for _ in range(50):
            read += 1
            yield bytes(1024)

    response = client.post("/v1/predict", content=body(), headers={**JPEG, "content-length": str(50 * 1024**2)})
    assert "must have at most 1000000 bytes; got 52428800" in refused(response, Code.TOO_LARGE)
    assert response.headers["connection"] == "close"


def test_a_body_without_length_is_read_up_to_the_limit_only(client: TestClient):
    def body() -> Iterator[bytes]:
        for _ in range(50):
            yield bytes(100_000)

    refused(client.post("/v1/predict", content=body(), headers=JPEG), Code.TOO_LARGE)


def test_bytes_after_the_photo_do_no_harm(client: TestClient, red: bytes):
    assert client.post("/v1/predict", content=red + b"trailing", headers=JPEG).status_code == 200


# readiness, metrics, log


def test_the_service_is_not_ready_before_the_models_have_answered_a_first_photo(predictor: Predictor, red: bytes):
    import threading

    door = threading.Event()

    def load() -> Predictor:
        door.wait(10)
        return predictor

    with TestClient(create_app(load)) as client:
        assert client.get("/livez").json() == {"status": "ok"}
        assert client.get("/healthz").status_code == 200
        message = refused(client.get("/readyz"), Code.NOT_READY)
        assert "being loaded" in message
        response = client.post("/v1/predict", content=red, headers=JPEG)
        refused(response, Code.NOT_READY)
        assert int(response.headers["retry-after"]) >= 1
        refused(client.get("/v1/skills"), Code.NOT_READY)
        door.set()
        wait_until_ready(client)
        assert client.post("/v1/predict", content=red, headers=JPEG).status_code == 200


def test_probes_report_models_that_cannot_be_loaded():
    def load() -> Predictor:
        raise ValueError("backbone.onnx of the bundle must have the SHA-256 …")

    with TestClient(create_app(load)) as client:
        deadline = time.monotonic() + 10
        while client.get("/livez").status_code == 200 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "cannot be loaded: backbone.onnx" in refused(client.get("/livez"), Code.NOT_READY)
        refused(client.get("/readyz"), Code.NOT_READY)


def test_a_full_queue_refuses_with_the_time_to_retry(predictor: Predictor, red: bytes):
    import threading

    door = threading.Event()

    class Slow(Predictor):
        def answer_queries(self, queries: Any) -> Any:
            door.wait(10)
            return super().answer_queries(queries)

        def warm_up(self) -> None: ...

    slow = Slow(predictor.bundle, 1)
    statuses: list[int] = []
    with TestClient(create_app(lambda: slow, ServingSettings(max_queue=2))) as client:
        wait_until_ready(client)

        def ask() -> None:
            statuses.append(client.post("/v1/predict", content=red, headers=JPEG).status_code)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 10
        while "coachworks_requests_in_progress 2.0" not in client.get("/metrics").text:
            assert time.monotonic() < deadline
        response = client.post("/v1/predict", content=red, headers=JPEG)
        assert "2 photos are already waiting" in refused(response, Code.OVERLOADED)
        assert response.headers["retry-after"] == "1"
        door.set()
        for thread in threads:
            thread.join()
    assert statuses == [200, 200]


def test_uploads_beyond_what_the_service_can_hold_are_refused(predictor: Predictor):
    with TestClient(create_app(lambda: predictor, ServingSettings(max_upload_bytes=1000))) as client:
        wait_until_ready(client)
        refused(client.post("/v1/predict", content=bytes(2000), headers=JPEG), Code.OVERLOADED)
        refused(client.post("/v1/predict", content=bytes(900), headers=JPEG), Code.NOT_A_PHOTO)
        refused(client.post("/v1/predict", content=bytes(900), headers=JPEG), Code.NOT_A_PHOTO)


def test_an_unexpected_exception_is_a_500_in_the_one_shape_with_the_id_of_its_log_line(
    predictor: Predictor, red: bytes, capsys: pytest.CaptureFixture[str]
):
    class Broken(Predictor):
        def answer_queries(self, queries: Any) -> Any:
            raise RuntimeError("the session is gone")

        def warm_up(self) -> None: ...

    broken = Broken(predictor.bundle, 1)
    with TestClient(create_app(lambda: broken)) as client:
        wait_until_ready(client)
        response = client.post("/v1/predict", content=red, headers={**JPEG, "x-request-id": "abc"})
    assert "session" not in refused(response, Code.INTERNAL)
    assert response.headers["x-request-id"] == "abc"
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (line["request_id"], line["status"], line["error"]) == ("abc", 500, "internal")


def test_metrics_count_requests_errors_answers_batches_and_models(client: TestClient, red: bytes):
    client.post("/v1/predict", content=red, headers=JPEG)
    client.post("/v1/predict", content=b"x", headers=JPEG)
    text = client.get("/metrics").text
    for line in (
        'coachworks_requests_total{method="POST",path="/v1/predict",skill="",status="200"}',
        'coachworks_errors_total{code="not-a-photo"}',
        'coachworks_answers_total{label="red",skill="colour"}',
        'coachworks_answers_total{label="bright",skill="light"}',
        'coachworks_request_seconds_bucket{le="0.1",path="/v1/predict",skill=""}',
        "coachworks_batch_photos_count",
        'model_version="3",skill="colour"} 1.0',
    ):
        assert line in text
    assert "_created" not in text


def test_paths_that_do_not_exist_cannot_grow_the_metrics(client: TestClient):
    for number in range(5):
        client.get(f"/scan/{number}")
        client.request(f"VERB{number}", "/v1/predict")
    text = client.get("/metrics").text
    assert "/scan" not in text
    assert "VERB" not in text


def test_every_request_leaves_one_line_of_json_and_probes_none(
    client: TestClient, red: bytes, capsys: pytest.CaptureFixture[str]
):
    capsys.readouterr()
    client.get("/readyz")
    client.get("/metrics")
    client.post("/v1/predict?skills=colour", content=red, headers={**JPEG, "x-request-id": "bad id\t!"})
    [line] = capsys.readouterr().out.splitlines()
    event = json.loads(line)
    assert event["method"] == "POST"
    assert event["path"] == "/v1/predict"
    assert event["query"] == "skills=colour"
    assert event["status"] == 200
    assert event["error"] is None
    assert event["received_bytes"] == len(red)
    assert event["duration_ms"] > 0
    assert event["request_id"] != "bad id\t!"


def test_requests_at_the_same_time_share_backbone_passes(client: TestClient, fabricated: ModuleType):
    from concurrent.futures import ThreadPoolExecutor

    def passes() -> float:
        text = client.get("/metrics").text
        return float(
            next(line for line in text.splitlines() if line.startswith("coachworks_batch_photos_count")).split()[1]
        )

    photos = [fabricated.photo(colour) for colour in ("red", "green", "blue")] * 16
    before = passes()
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda photo: client.post("/v1/predict", content=photo, headers=JPEG).json(), photos))
    assert [reply["answers"]["colour"]["label"] for reply in replies] == ["red", "green", "blue"] * 16
    assert passes() - before < len(photos)


# headers of every response


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/predict", 200),
        ("GET", "/v1/skills", 200),
        ("GET", "/readyz", 200),
        ("GET", "/metrics", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/elsewhere", 404),
        ("GET", "/v1/predict", 405),
        ("POST", "/v1/predict?skills=nothing", 422),
    ],
)
def test_every_response_tells_browsers_and_proxies_to_do_nothing_with_it(
    client: TestClient, red: bytes, method: str, path: str, status: int
):
    response = client.request(method, path, content=red if method == "POST" else None, headers=JPEG)
    assert response.status_code == status
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert response.headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in response.headers


def test_refusals_outside_of_the_app_have_these_headers_too(predictor: Predictor):
    with on_a_port(predictor) as port:
        reply = exchange(port, b"NONSENSE\r\n\r\n")
    assert reply.status == 400
    for name, value in HEADERS.items():
        assert f"{name}: {value}\r\n".encode() in reply.data
