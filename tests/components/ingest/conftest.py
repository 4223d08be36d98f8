"""Drawn photos, fleets over them, and the tables that come out."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_fleets import small_fleet

from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.tables import read_table
from components.ingest.step import ingest


@pytest.fixture
def draw(tmp_path: Path) -> Callable[..., Path]:
    """Write a small photo whose content depends on `seed`."""

    def write(name: str, seed: int = 0, *, size: tuple[int, int] = (48, 32), **options: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path, **options)
        return path

    return write


@pytest.fixture
def make_fleet(tmp_path: Path) -> Callable[..., Fleet]:
    """A located fleet whose sources lie under `tmp_path`; skills by name with their labels."""

    def make(
        *sources: Mapping[str, Any], skills: Mapping[str, list[str]] | None = None, unsure: str | None = None
    ) -> Fleet:
        named = skills or {"animal": ["cat", "dog"]}
        labelled = {name: {"labels": labels, "unsure": unsure} for name, labels in named.items()}
        return small_fleet(labelled, sources=list(sources) or [{"photos": "photos"}]).located(tmp_path)

    return make


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Write a table beside the folder `photos` and give the source that names both."""

    def write(text: str | bytes, name: str = "photos.csv", photos: str = "photos") -> dict[str, str]:
        (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return {"photos": photos, "table": name}

    return write


@pytest.fixture(scope="session")
def tables() -> Callable[[Result], SimpleNamespace]:
    """A result's tables, by name."""

    def read(result: Result) -> SimpleNamespace:
        return SimpleNamespace(
            catalogue=read_table(result.path / "catalogue.parquet"),
            votes=read_table(result.path / "votes.parquet"),
            labels=read_table(result.path / "labels.parquet"),
            rejected=json.loads((result.path / "rejected.json").read_text("utf-8")),
        )

    return read


@pytest.fixture
def taken_in(
    make_fleet: Callable[..., Fleet], tables: Callable[..., SimpleNamespace]
) -> Callable[..., SimpleNamespace]:
    """Ingest sources (default: the folder `photos`) and give tables and report."""

    def run(*sources: Mapping[str, Any], **options: Any) -> SimpleNamespace:
        result = ingest(make_fleet(*sources, **options))
        read = tables(result)
        read.result, read.report = result, result.report
        read.labelled = {
            (row.filename, row.skill): row.label if isinstance(row.label, str) else None
            for row in read.labels.merge(read.catalogue, on="photo_id").itertuples()
        }
        return read

    return run


class Bucket:
    """A bucket of a local S3 server, which counts requests and answers some of them with errors when told to."""

    def __init__(self, name: str, server: "S3Server") -> None:
        import boto3

        self.name, self.server = name, server
        self.client = boto3.client("s3")
        self.client.create_bucket(Bucket=name)

    def fill(self, folder: Path, prefix: str = "") -> None:
        """Put a folder's files under `prefix`."""
        for path in folder.rglob("*"):
            if path.is_file():
                self.put(prefix + path.relative_to(folder).as_posix(), path.read_bytes())

    def put(self, key: str, data: bytes) -> None:
        """Put one object."""
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def reads(self) -> list[str]:
        """Keys read since the last call."""
        start = f"/{self.name}/"
        keys = [path.removeprefix(start) for method, path in self.server.seen if method == "GET" and start in path]
        self.server.seen.clear()
        return sorted(key for key in keys if key)


BROKEN_OFF = "broken off"


class S3Server:
    """An S3 server in this process."""

    def __init__(self) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        self.seen: list[tuple[str, str]] = []
        self.refuse: dict[tuple[str, str], list[str]] = {}  # (method, path) -> codes of errors, one for each request
        self.fail_every = 0  # answer every n-th request with an error; 0: none
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.seen.append(request)
        codes = self.refuse.get(request)
        if self.fail_every and len(self.seen) % self.fail_every == 0:
            codes = ["SlowDown"]
        if codes:
            code = codes.pop(0)
            if code == BROKEN_OFF:
                start_response("200 OK", [("Content-Length", "100000"), ("ETag", '"x"')])
                return [b"\xff\xd8\xff"]
            status = {"AccessDenied": "403", "InvalidObjectState": "403", "NoSuchKey": "404"}.get(code, "503")
            start_response(f"{status} no", [("Content-Type", "application/xml")])
            return [f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()]
        return self._app(environ, start_response)

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket; the environment leads S3 clients to its server."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    s3_server.refuse.clear()
    bucket = Bucket(f"bucket-{uuid.uuid4().hex[:12]}", s3_server)
    s3_server.seen.clear()
    return bucket
