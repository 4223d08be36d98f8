import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from coachworks.store import FolderStore, S3Store, Store, open_store
from lab import S3_KEY, S3_REGION, S3_SECRET, running_lab
from s3_server import S3Server, local_s3


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with local_s3() as server:
        yield server


@pytest.fixture(scope="session")
def lab_s3() -> Iterator[S3Server]:
    with running_lab() as lab:
        yield S3Server(lab.s3, S3_KEY, S3_SECRET, S3_REGION)


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """An empty bucket of a server in this process; the environment leads there, and the cache is empty."""
    return _bucket(s3_server, monkeypatch, tmp_path)


@pytest.fixture
def in_bucket(bucket: str) -> S3Store:
    store = open_store(f"s3://{bucket}/some/prefix")
    assert isinstance(store, S3Store)
    return store


@pytest.fixture(params=["folder", "bucket", pytest.param("lab", marks=pytest.mark.cluster)])
def any_store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Store]:
    """A store of each kind."""
    if request.param == "folder":
        yield FolderStore(tmp_path / "store")
        return
    server: S3Server = request.getfixturevalue("s3_server" if request.param == "bucket" else "lab_s3")
    name = _bucket(server, monkeypatch, tmp_path)
    yield open_store(f"s3://{name}/some/prefix")
    server.remove_bucket(name)


def _bucket(server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    server.lead_to(monkeypatch)
    monkeypatch.setenv("COACHWORKS_CACHE", str(tmp_path / "cache"))
    name = f"cw-store-{uuid.uuid4().hex[:10]}"
    server.make_bucket(name)
    return name
