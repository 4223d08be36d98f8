"""API keys: required on all paths but the probes, read before the body, withdrawn without a restart, never logged."""

import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from http_service import JPEG, refused, wait_until_ready
from raw_http import connect, on_a_port
from starlette.testclient import TestClient

from coachworks.errors import DataError
from serving.api_keys import REREAD_S, ApiKeys, api_keys_of
from serving.app import create_app
from serving.errors import Code
from serving.predictor import Predictor

PARTNER, OTHER = "p" * 64, "o" * 64


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A mounted Secret: entries are links into a folder that Kubernetes swaps."""
    (tmp_path / "keys" / "..first").mkdir(parents=True)
    (tmp_path / "keys" / "..first" / "partner").write_text(f"{PARTNER}\n")
    (tmp_path / "keys" / "..data").symlink_to("..first")
    (tmp_path / "keys" / "partner").symlink_to("..data/partner")
    return tmp_path / "keys"


@pytest.fixture
def client(predictor: Predictor, folder: Path) -> Iterator[TestClient]:
    with TestClient(create_app(lambda: predictor, keys=ApiKeys(folder))) as client:
        wait_until_ready(client)  # probes need no key
        yield client


@pytest.fixture
def red(fabricated: ModuleType) -> bytes:
    return bytes(fabricated.photo("red"))


def replace(folder: Path, **keys: str) -> None:
    """Replace the entries as Kubernetes does: a new folder, then one rename of the link to it."""
    (folder / "..second").mkdir()
    for name, key in keys.items():
        (folder / "..second" / name).write_text(key)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..swap").symlink_to("..second")
    (folder / "..swap").rename(folder / "..data")


@pytest.mark.parametrize("headers", [{"Authorization": f"Bearer {PARTNER}"}, {"X-API-Key": PARTNER}])
def test_a_key_is_taken_from_either_header(client: TestClient, red: bytes, headers: dict[str, str]):
    assert client.post("/v1/predict", content=red, headers={**JPEG, **headers}).status_code == 200


@pytest.mark.parametrize("path", ["/v1/skills", "/metrics", "/openapi.json", "/elsewhere"])
def test_every_other_path_needs_a_key(client: TestClient, path: str):
    response = client.get(path)
    assert refused(response, Code.UNAUTHORIZED) == "the request must carry an API key; it has none"
    assert response.headers["www-authenticate"] == 'Bearer realm="coachworks"'
    status = client.get(path, headers={"X-API-Key": PARTNER}).status_code
    assert status == (404 if path == "/elsewhere" else 200)


@pytest.mark.parametrize("path", ["/livez", "/healthz", "/readyz"])
def test_probes_need_none(client: TestClient, path: str):
    assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {OTHER}"},
        {"X-API-Key": PARTNER[:-1]},
        {"X-API-Key": f"{PARTNER}, {PARTNER}"},
        {"X-API-Key": "\xff" * 64},
        {"Authorization": f"Bearer {OTHER}", "X-API-Key": PARTNER},
    ],
)
def test_a_wrong_key_is_refused(client: TestClient, headers: dict[str, str]):
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    response = client.get("/v1/skills", headers=raw)
    assert refused(response, Code.UNAUTHORIZED) == "the API key must be one of this service; it is not"
    assert response.headers["www-authenticate"] == 'Bearer realm="coachworks", error="invalid_token"'


@pytest.mark.parametrize("headers", [{"Authorization": f"Basic {PARTNER}"}, {"Authorization": PARTNER}])
def test_another_scheme_of_authorization_is_no_key(client: TestClient, headers: dict[str, str]):
    assert "it has none" in refused(client.get("/v1/skills", headers=headers), Code.UNAUTHORIZED)
    assert client.get("/v1/skills", headers={**headers, "X-API-Key": PARTNER}).status_code == 200


def test_a_request_without_a_key_is_refused_before_its_body_arrives(predictor: Predictor, folder: Path):
    head = b"POST /v1/predict HTTP/1.1\r\nHost: pod\r\nContent-Type: image/jpeg\r\nContent-Length: 30000000\r\n\r\n"
    with on_a_port(predictor, keys=ApiKeys(folder)) as port, connect(port) as connection:
        connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


def test_the_log_and_the_metrics_name_the_key_and_never_hold_it(client: TestClient, capsys: pytest.CaptureFixture[str]):
    capsys.readouterr()
    for key in (PARTNER, OTHER):
        client.get("/v1/skills", headers={"Authorization": f"Bearer {key}"})
    client.get("/metrics", headers={"X-API-Key": OTHER})  # guesses are logged on this path, too
    text = client.get("/metrics", headers={"X-API-Key": PARTNER}).text
    log = capsys.readouterr().out
    events = [json.loads(line) for line in log.splitlines()]
    assert [(event["path"], event["key"], event["error"]) for event in events] == [
        ("/v1/skills", "partner", None),
        ("/v1/skills", None, "unauthorized"),
        ("/metrics", None, "unauthorized"),
    ]
    assert 'coachworks_key_requests_total{key="partner"} 1.0' in text
    assert 'coachworks_errors_total{code="unauthorized"} 2.0' in text
    for secret in (PARTNER, OTHER):
        assert secret not in log
        assert secret not in text


def test_without_keys_every_request_is_answered_and_a_key_is_no_matter(
    predictor: Predictor, capsys: pytest.CaptureFixture[str]
):
    with TestClient(create_app(lambda: predictor)) as client:
        wait_until_ready(client)
        assert client.get("/v1/skills").status_code == 200
        assert client.get("/v1/skills", headers={"X-API-Key": OTHER}).status_code == 200
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["key"] is None


def test_keys_are_added_and_withdrawn_without_a_restart(folder: Path, monkeypatch: pytest.MonkeyPatch):
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    keys = ApiKeys(folder)
    replace(folder, other=OTHER)
    assert (keys.name_of(PARTNER), keys.name_of(OTHER)) == ("partner", None)
    now += REREAD_S
    assert (keys.name_of(PARTNER), keys.name_of(OTHER)) == (None, "other")


def test_when_all_keys_are_gone_none_is_accepted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    keys, later = ApiKeys(folder), time.monotonic() + REREAD_S
    monkeypatch.setattr(time, "monotonic", lambda: later)
    (folder / "..data").unlink()
    assert keys.name_of(PARTNER) is None
    assert "API keys: partner cannot be read: No such file or directory" in caplog.text


def test_every_key_is_compared_in_constant_time(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "another").write_text(OTHER)
    compared: list[tuple[bytes, bytes]] = []

    def compare(known: bytes, asked: bytes) -> bool:
        compared.append((known, asked))
        return known == asked

    keys = ApiKeys(folder)
    monkeypatch.setattr(hmac, "compare_digest", compare)
    for key in (PARTNER, OTHER, "x", ""):
        keys.name_of(key)
    assert len(compared) == 4 * 2
    assert {len(part) for pair in compared for part in pair} == {32}  # digests: the length of a key plays no part


NO_KEY = {
    "": r"partner must hold 20 to 512 printable ASCII characters without spaces; it holds 0\. Make one with `kubectl",
    "short": "partner must hold 20 to 512 printable ASCII characters without spaces; it holds 5",
    "two words that are long enough": "partner must hold 20 to 512 .* without spaces; it holds others",
    "é" * 20: "partner must hold .* it holds others",
    "x" * 513: "partner must hold .* it holds 51",
}


@pytest.mark.parametrize("key", NO_KEY)
def test_a_folder_without_a_key_is_refused_without_showing_what_it_holds(folder: Path, key: str):
    (folder / "..data" / "partner").write_text(key)
    with pytest.raises(DataError, match=r"the folder of API keys, .*, must hold at least one key: ") as refusal:
        ApiKeys(folder)
    assert refusal.match(NO_KEY[key])
    assert not key or key not in str(refusal.value)


def test_a_folder_that_is_empty_or_missing_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="at least one key: it is empty"):
        ApiKeys(tmp_path)
    with pytest.raises(DataError, match="at least one key: it cannot be read: No such file or directory"):
        api_keys_of({"COACHWORKS_API_KEYS": str(tmp_path / "none")})
    assert api_keys_of({}) is None


def test_an_entry_that_cannot_be_read_is_named(folder: Path):
    (folder / "..data" / "partner").unlink()
    (folder / "..data" / "partner").mkdir()
    with pytest.raises(DataError, match="partner cannot be read: Is a directory"):
        ApiKeys(folder)
