"""Fixtures of every part: quiet third parties, stores, an MLflow database, a converted backbone, small fleets."""

import functools
import gc
import os
import shutil
import uuid

from coachworks.settings import apply_quiet_settings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # there are as many workers as cores: further threads only wait for each other
apply_quiet_settings()
os.environ.pop("COACHWORKS_RUN", None)
gc.set_threshold(50_000, 20, 100)  # a collection visits all that the heavy libraries made: a tenth of the tests' time

from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from types import ModuleType  # noqa: E402
from typing import Any  # noqa: E402

import hypothesis  # noqa: E402
import pytest  # noqa: E402
from shared import build_once  # noqa: E402

from coachworks.store import FolderStore, S3Store, Store, open_store  # noqa: E402
from kubernetes_server import Objects, kubernetes_server, write_kubeconfig  # noqa: E402
from lab import S3_KEY, S3_REGION, S3_SECRET, running_lab  # noqa: E402
from s3_server import S3Server, local_s3  # noqa: E402

hypothesis.settings.register_profile("quick", max_examples=25)
hypothesis.settings.load_profile("quick")  # `make test-all` chooses Hypothesis's own, of 100 examples


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


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


@pytest.fixture
def api_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Objects]:
    """A Kubernetes API server that KUBECONFIG names: path -> object, or the status of a refusal."""
    with kubernetes_server() as objects:
        objects["/version"] = {"gitVersion": "v1.34.4"}
        write_kubeconfig(tmp_path / "kubeconfig", objects.address, namespace="of-context")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        monkeypatch.delenv("HELM_KUBECONTEXT", raising=False)
        yield objects


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its tables: making them takes seconds, copying them none."""

    def build(folder: Path) -> None:
        from coachworks.tracking import Tracking, open_client

        open_client(Tracking(uri=f"sqlite:///{folder}/mlflow.db", database=folder / "mlflow.db"))

    from mlflow.store.db import utils

    if not hasattr(utils._get_latest_schema_revision, "cache_info"):  # imports all migrations for every database
        utils._get_latest_schema_revision = functools.cache(utils._get_latest_schema_revision)
    database = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    shutil.copyfile(build_once(tmp_path_factory, "mlflow", build) / "mlflow.db", database)
    return database


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    """A store that holds the default backbone, converted once for all tests; tests that change it copy it."""

    def build(folder: Path) -> None:
        from components.embed.backbones import ensure_backbone, find_backbone

        ensure_backbone(FolderStore(folder), find_backbone("efficientnet-lite0"))

    return FolderStore(build_once(tmp_path_factory, "converted", build))


@pytest.fixture(scope="session")
def upstream() -> ModuleType:
    """The module that makes up a result of validate, from a few drawn photos."""
    import validated_photos

    return validated_photos


@pytest.fixture(scope="session")
def fabricated() -> ModuleType:
    """The module that makes up a packaged fleet's upstream: a tiny backbone, heads, results of register."""
    import packaged_fleet

    return packaged_fleet


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real photos; tests that need it are marked `data`."""
    folder = os.environ.get("COACHWORKS_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("no real photos: set COACHWORKS_DATA to the folder that holds trashnet/ and grocery/")
    return Path(folder)


@pytest.fixture
def golden() -> Callable[[Path, str], None]:
    """Compare text with a golden file; UPDATE_GOLDEN=1 writes it anew, which CI refuses."""

    def compare(path: Path, actual: str) -> None:
        if os.environ.get("UPDATE_GOLDEN") == "1":
            if os.environ.get("CI"):
                pytest.fail("golden files are not written in CI")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(actual, "utf-8")
        assert path.exists(), f"{path} is missing; `make golden` writes it"
        assert actual == path.read_text("utf-8"), f"{path.name} changed; if that is meant, run `make golden`"

    return compare


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that build something long for all their tests go first, so that no worker is left waiting at the end."""
    long = ("pipelines/test_run.py", "serving/test_end_to_end.py", "register/test_interruptions.py")
    items.sort(key=lambda item: not item.path.as_posix().endswith(long))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`, one worker runs all that imports Great Expectations, which takes four seconds."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "validation" if file.startswith(("tests/validation/", "tests/components/validate/")) else file

    return Scheduling(config, log)
