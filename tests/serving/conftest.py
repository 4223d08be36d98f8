import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from coachworks.models.manifest import Manifest, read_manifest
from coachworks.store import FolderStore
from serving.bundle import Bundle, load_bundle
from serving.predictor import Predictor


@dataclass(frozen=True)
class Packaged:
    """A packaged fleet of two skills, `colour` and `light`: its store and its bundle. Tests that change it copy it."""

    store: FolderStore
    bundle: Path


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory, fabricated: ModuleType) -> Packaged:
    from components.package.config import PackageConfig
    from components.package.step import package

    fleet, store, register = fabricated.fabricate(tmp_path_factory.mktemp("fleet"))
    return Packaged(store, package(fleet, [register], config=PackageConfig(build_bento=False)).path / "bundle")


@pytest.fixture(scope="session")
def bundle_folder(packaged: Packaged) -> Path:
    """A bundle of two skills, `colour` and `light`; tests that change it copy it."""
    return packaged.bundle


@pytest.fixture(scope="session")
def manifest(bundle_folder: Path) -> Manifest:
    return read_manifest(bundle_folder)


@pytest.fixture
def write_config(manifest: Manifest, tmp_path: Path) -> Callable[..., Path]:
    """Write the folder of a pod's configuration."""

    def write(ports: Mapping[str, int] | None = None, manifest: Manifest = manifest) -> Path:
        folder = tmp_path / "release"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "manifest.json").write_text(manifest.to_json())
        pods = {"group": "shared", "track": "stable", "ports": dict(ports or {})}
        (folder / "pods.json").write_text(json.dumps(pods))
        return folder

    return write


@pytest.fixture(scope="session")
def bundle(bundle_folder: Path) -> Bundle:
    return load_bundle(bundle_folder)


@pytest.fixture(scope="session")
def predictor(bundle: Bundle) -> Predictor:
    return Predictor(bundle, threads=1)
