"""The models of a pod come from the store by digest, verified, complete or not at all."""

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
from serving.fetch import fetch, fetch_models, model_files

WriteConfig = Callable[..., Path]
FILES = ["backbone.onnx", "heads/colour.safetensors", "heads/light.safetensors"]


@pytest.fixture
def models(packaged: Any, manifest: Manifest, tmp_path: Path) -> FolderStore:
    """A store with only the models of the pod; tests may damage it."""
    store = FolderStore(tmp_path / "models-store")
    for file in model_files(manifest):
        store.write_file(file.key, packaged.store.fetch(file.key))
    return store


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3Server]:
    with local_s3() as server:
        yield server


@pytest.fixture
def bucket(s3_server: S3Server, models: FolderStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    """The same store in a bucket, with the server in the environment."""
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


def test_the_models_of_a_pod_come_from_a_folder(
    models: FolderStore, manifest: Manifest, write_config: WriteConfig, tmp_path: Path
):
    config, bundle = write_config(), tmp_path / "models"
    environ = {"COACHWORKS_RELEASE": config, "COACHWORKS_STORE": models.root, "COACHWORKS_BUNDLE": bundle}
    done = run(environ={name: str(value) for name, value in environ.items()})
    assert done.returncode == 0, done.stderr
    assert files(bundle) == FILES
    assert load_bundle(bundle, manifest).digest == manifest.digest()[:12]
    lines = done.stderr.splitlines()
    assert lines[0] == f"showroom, shared, stable: models from {models.root} to {bundle}"
    assert f"heads/colour.safetensors: 0.0 MB, {manifest.skills['colour'].head_sha256[:12]}" in lines
    assert lines[-1] == f"all models are present: {manifest.digest()[:12]}"
    done = run(environ={name: str(value) for name, value in environ.items()})
    assert "heads/colour.safetensors: already present" in done.stderr


def test_they_come_from_a_bucket_and_no_temporary_file_remains(
    bucket: Store, manifest: Manifest, write_config: WriteConfig, tmp_path: Path
):
    bundle = tmp_path / "models"
    done = run(
        environ={
            "COACHWORKS_RELEASE": str(write_config()),
            "COACHWORKS_STORE": bucket.uri,
            "COACHWORKS_BUNDLE": str(bundle),
        }
    )
    assert done.returncode == 0, done.stderr
    assert files(bundle) == FILES
    assert not (bundle / ".fetching").exists()
    load_bundle(bundle, manifest)


def test_requests_to_a_store_that_fails_intermittently_are_retried(
    s3_server: S3Server, bucket: Store, manifest: Manifest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    with FaultyProxy(s3_server.url, error_rate=0.3, seed=3, stall_s=0.1) as proxy:
        s3_server.lead_to(monkeypatch, proxy.url)
        monkeypatch.setenv("COACHWORKS_CACHE", str(tmp_path / "empty-cache"))
        fetch_models(open_store(bucket.uri), manifest, tmp_path / "models", print)
        assert sum(proxy.counts.values()) > proxy.counts["passed"]
    load_bundle(tmp_path / "models", manifest)


def test_only_missing_files_are_fetched(models: FolderStore, manifest: Manifest, tmp_path: Path):
    bundle, lines = tmp_path / "models", []
    fetch_models(models, manifest, bundle, lines.append)
    times = {name: (bundle / name).stat().st_mtime_ns for name in FILES}
    (bundle / "heads/light.safetensors").write_bytes(b"damaged")
    lines.clear()
    fetch_models(models, manifest, bundle, lines.append)
    assert sorted(line.partition(":")[0] for line in lines if line.endswith("already present")) == FILES[:2]
    assert digest_file(bundle / "heads/light.safetensors") == manifest.skills["light"].head_sha256
    assert times["backbone.onnx"] == (bundle / "backbone.onnx").stat().st_mtime_ns


def test_a_model_missing_in_the_store_is_refused(models: FolderStore, manifest: Manifest, tmp_path: Path):
    (models.root / f"heads/{manifest.skills['light'].head_sha256}.safetensors").unlink()
    with pytest.raises(
        NotFoundError,
        match=r"the head of 'light', version 3 cannot be fetched: 'heads/\w+.safetensors' is not in the store .*"
        r"removed from the store, deploy the fleet again: `coachworks deploy`.*store's address",
    ):
        fetch_models(models, manifest, tmp_path / "models", print)
    assert not (tmp_path / "models/heads/light.safetensors").exists()


def test_a_damaged_model_in_the_store_is_refused(models: FolderStore, manifest: Manifest, tmp_path: Path):
    key = next(file.key for file in model_files(manifest))
    models.write(key, b"something else")
    with pytest.raises(
        DataError,
        match=rf"the backbone tiny, {models.root}/{key}, must have the SHA-256 {manifest.backbone.sha256}; got \w+: .*"
        r"`coachworks store verify --repair .*`, then `coachworks run --from package`, then `coachworks deploy`",
    ):
        fetch_models(models, manifest, tmp_path / "models", print)
    assert not (tmp_path / "models/backbone.onnx").exists()


@pytest.mark.parametrize("missing", ["COACHWORKS_RELEASE", "COACHWORKS_STORE", "COACHWORKS_BUNDLE"])
def test_a_missing_variable_is_refused(missing: str):
    environ = dict.fromkeys(("COACHWORKS_RELEASE", "COACHWORKS_STORE", "COACHWORKS_BUNDLE"), "/x")
    del environ[missing]
    with pytest.raises(InvalidConfigError, match=rf"must be set; {missing} is not\. The fleet's chart sets them"):
        fetch(environ)


def test_a_folder_that_is_not_writable_is_refused(models: FolderStore, write_config: WriteConfig, tmp_path: Path):
    (tmp_path / "models").write_text("a file")
    environ = {
        "COACHWORKS_RELEASE": str(write_config()),
        "COACHWORKS_STORE": models.uri,
        "COACHWORKS_BUNDLE": str(tmp_path / "models"),
    }
    with pytest.raises(InvalidConfigError, match=r"COACHWORKS_BUNDLE must name a writable folder"):
        fetch(environ)


def test_a_failure_is_one_line_and_status_1(
    s3_server: S3Server,
    bucket: Store,
    write_config: WriteConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    environ = {
        "COACHWORKS_RELEASE": str(write_config()),
        "COACHWORKS_STORE": bucket.uri,
        "COACHWORKS_BUNDLE": str(tmp_path / "models"),
    }
    done = run(environ=environ)
    assert done.returncode == 1
    error = done.stderr.splitlines()[-1]
    assert error.startswith("Error: there are no credentials for the S3 server")
    assert "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in error


def test_credentials_come_from_mounted_secrets(
    bucket: Store,
    manifest: Manifest,
    write_config: WriteConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    mounted = tmp_path / "environment" / "0-store"
    mounted.mkdir(parents=True)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        (mounted / name).write_text(os.environ[name])
        monkeypatch.delenv(name)
    for name, value in {
        "COACHWORKS_RELEASE": write_config(),
        "COACHWORKS_STORE": bucket.uri,
        "COACHWORKS_BUNDLE": tmp_path / "models",
    }.items():
        monkeypatch.setenv(name, str(value))
    take = fetching.take_mounted_environment
    monkeypatch.setattr(fetching, "take_mounted_environment", lambda: take(tmp_path / "environment"))
    fetching.main()
    assert files(tmp_path / "models") == FILES
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "")  # so that monkeypatch restores the variables that `main` set


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
