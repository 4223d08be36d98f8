"""The models of a release come from the store by digest, checked, whole or not at all."""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from coachworks.digests import digest_file
from coachworks.errors import DataError, InvalidConfigError, NotFoundError
from coachworks.models.manifest import Manifest
from coachworks.store import FolderStore, Store, open_store
from faults import FaultyProxy
from s3_server import S3Server, local_s3
from serving import fetch as fetching
from serving.bundle import load_bundle
from serving.fetch import fetch, fetch_models, wanted_by

WriteRelease = Callable[..., Path]
FILES = ["backbone.onnx", "heads/colour.safetensors", "heads/light.safetensors"]


@pytest.fixture
def models(packaged: Any, manifest: Manifest, tmp_path: Path) -> FolderStore:
    """A store with nothing but the models of the release; tests may spoil it."""
    store = FolderStore(tmp_path / "models-store")
    for wanted in wanted_by(manifest):
        store.write_file(wanted.key, packaged.store.fetch(wanted.key))
    return store


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3Server]:
    with local_s3() as server:
        yield server


@pytest.fixture
def bucket(s3_server: S3Server, models: FolderStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    """The same in a bucket; the environment leads there."""
    s3_server.lead_to(monkeypatch)
    monkeypatch.setenv("COACHWORKS_CACHE", str(tmp_path / "cache"))
    name = f"cw-fetch-{uuid.uuid4().hex[:10]}"
    s3_server.make_bucket(name)
    store = open_store(f"s3://{name}/fleet")
    for key in (*models.list("backbones"), *models.list("heads")):
        store.write(key, models.read(key))
    return store


def files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def run(*, environ: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "serving.fetch"], env={**os.environ, **environ}, capture_output=True, text=True
    )


def test_the_models_of_a_release_come_from_a_folder(
    models: FolderStore, manifest: Manifest, write_release: WriteRelease, tmp_path: Path
):
    release, bundle = write_release(), tmp_path / "models"
    environ = {"COACHWORKS_RELEASE": release, "COACHWORKS_STORE": models.root, "COACHWORKS_BUNDLE": bundle}
    done = run(environ={name: str(value) for name, value in environ.items()})
    assert done.returncode == 0, done.stderr
    assert files(bundle) == FILES
    assert load_bundle(bundle, manifest).digest == manifest.digest()[:12]
    said = done.stderr.splitlines()
    assert said[0] == f"showroom, shared, stable: models from {models.root} to {bundle}"
    assert f"heads/colour.safetensors: 0.0 MB, {manifest.skills['colour'].head_sha256[:12]}" in said
    assert said[-1] == f"all models are there: {manifest.digest()[:12]}"
    done = run(environ={name: str(value) for name, value in environ.items()})
    assert "heads/colour.safetensors: is there" in done.stderr


def test_they_come_from_a_bucket_and_leave_nothing_else_behind(
    bucket: Store, manifest: Manifest, write_release: WriteRelease, tmp_path: Path
):
    bundle = tmp_path / "models"
    done = run(
        environ={
            "COACHWORKS_RELEASE": str(write_release()),
            "COACHWORKS_STORE": bucket.uri,
            "COACHWORKS_BUNDLE": str(bundle),
        }
    )
    assert done.returncode == 0, done.stderr
    assert files(bundle) == FILES
    assert not (bundle / ".fetching").exists()
    load_bundle(bundle, manifest)


def test_a_store_that_fails_now_and_then_is_asked_again(
    s3_server: S3Server, bucket: Store, manifest: Manifest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    with FaultyProxy(s3_server.url, error_rate=0.3, seed=3, stall_s=0.1) as proxy:
        s3_server.lead_to(monkeypatch, proxy.url)
        monkeypatch.setenv("COACHWORKS_CACHE", str(tmp_path / "empty-cache"))
        fetch_models(open_store(bucket.uri), manifest, tmp_path / "models", print)
        assert sum(proxy.counts.values()) > proxy.counts["passed"]
    load_bundle(tmp_path / "models", manifest)


def test_only_what_is_not_there_is_fetched(models: FolderStore, manifest: Manifest, tmp_path: Path):
    bundle, said = tmp_path / "models", []
    fetch_models(models, manifest, bundle, said.append)
    times = {name: (bundle / name).stat().st_mtime_ns for name in FILES}
    (bundle / "heads/light.safetensors").write_bytes(b"damaged")
    said.clear()
    fetch_models(models, manifest, bundle, said.append)
    assert sorted(line.partition(":")[0] for line in said if line.endswith("is there")) == FILES[:2]
    assert digest_file(bundle / "heads/light.safetensors") == manifest.skills["light"].head_sha256
    assert times["backbone.onnx"] == (bundle / "backbone.onnx").stat().st_mtime_ns


def test_a_model_that_the_store_does_not_hold_is_said(models: FolderStore, manifest: Manifest, tmp_path: Path):
    (models.root / f"heads/{manifest.skills['light'].head_sha256}.safetensors").unlink()
    with pytest.raises(
        NotFoundError,
        match=r"the head of 'light', version 3 cannot be fetched: 'heads/\w+.safetensors' is not in the store .*"
        r"removed from the store, deploy the fleet again: `coachworks deploy`.*store's address",
    ):
        fetch_models(models, manifest, tmp_path / "models", print)
    assert not (tmp_path / "models/heads/light.safetensors").exists()


def test_a_model_that_the_store_holds_damaged_is_refused(models: FolderStore, manifest: Manifest, tmp_path: Path):
    key = next(wanted.key for wanted in wanted_by(manifest))
    models.write(key, b"something else")
    with pytest.raises(
        DataError,
        match=rf"the backbone tiny, {models.root}/{key}, must have the SHA-256 {manifest.backbone.sha256}; got \w+\. .*"
        "put it back from a backup",
    ):
        fetch_models(models, manifest, tmp_path / "models", print)
    assert not (tmp_path / "models/backbone.onnx").exists()


@pytest.mark.parametrize("missing", ["COACHWORKS_RELEASE", "COACHWORKS_STORE", "COACHWORKS_BUNDLE"])
def test_a_variable_that_is_missing_is_said(missing: str):
    environ = dict.fromkeys(("COACHWORKS_RELEASE", "COACHWORKS_STORE", "COACHWORKS_BUNDLE"), "/x")
    del environ[missing]
    with pytest.raises(InvalidConfigError, match=rf"must be set; {missing} is not\. The fleet's chart sets them"):
        fetch(environ)


def test_a_folder_that_cannot_be_written_is_said(models: FolderStore, write_release: WriteRelease, tmp_path: Path):
    (tmp_path / "models").write_text("a file")
    environ = {
        "COACHWORKS_RELEASE": str(write_release()),
        "COACHWORKS_STORE": models.uri,
        "COACHWORKS_BUNDLE": str(tmp_path / "models"),
    }
    with pytest.raises(InvalidConfigError, match=r"COACHWORKS_BUNDLE must name a folder that may be written"):
        fetch(environ)


def test_what_is_wrong_is_one_line_and_status_1(
    s3_server: S3Server, bucket: Store, write_release: WriteRelease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    environ = {
        "COACHWORKS_RELEASE": str(write_release()),
        "COACHWORKS_STORE": bucket.uri,
        "COACHWORKS_BUNDLE": str(tmp_path / "models"),
    }
    done = run(environ=environ)
    assert done.returncode == 1
    error = done.stderr.splitlines()[-1]
    assert error.startswith("Error: there are no credentials for the S3 server")
    assert "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in error


def test_credentials_come_from_what_is_mounted(
    bucket: Store,
    manifest: Manifest,
    write_release: WriteRelease,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    mounted = tmp_path / "environment" / "0-store"
    mounted.mkdir(parents=True)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        (mounted / name).write_text(os.environ[name])
        monkeypatch.delenv(name)
    for name, value in {
        "COACHWORKS_RELEASE": write_release(),
        "COACHWORKS_STORE": bucket.uri,
        "COACHWORKS_BUNDLE": tmp_path / "models",
    }.items():
        monkeypatch.setenv(name, str(value))
    take = fetching.take_mounted_environment
    monkeypatch.setattr(fetching, "take_mounted_environment", lambda: take(tmp_path / "environment"))
    fetching.main()
    assert files(tmp_path / "models") == FILES
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "")  # so that what was taken is put away again


def test_two_skills_may_share_a_head(models: FolderStore, manifest: Manifest, tmp_path: Path):
    twice = manifest.model_copy(update={"skills": {**manifest.skills, "hue": manifest.skills["colour"]}})
    fetch_models(models, twice, tmp_path / "models", print)
    assert files(tmp_path / "models") == [*FILES[:2], "heads/hue.safetensors", FILES[2]]


def test_fetching_imports_little():
    code = "import serving.fetch, sys, json; print(json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"
    loaded = set(json.loads(subprocess.check_output([sys.executable, "-c", code], text=True)))
    heavy = {"bentoml", "boto3", "fastapi", "onnx", "onnxruntime", "pandas", "prometheus_client", "torch", "uvicorn"}
    assert not loaded & heavy


def test_a_fetched_bundle_answers(models: FolderStore, manifest: Manifest, tmp_path: Path, fabricated: ModuleType):
    from serving.predictor import Predictor

    fetch_models(models, manifest, tmp_path / "models", print)
    shutil.rmtree(models.root)
    [answers] = Predictor(load_bundle(tmp_path / "models", manifest), threads=1).answer([fabricated.photo("red")])
    assert answers["colour"].label == "red"
