import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from serving.bundle import Bundle, load_bundle
from serving.predictor import Predictor

_FABRICATED = Path(__file__).parents[1] / "components" / "package" / "fabricated.py"


@pytest.fixture(scope="session")
def fabricated() -> ModuleType:
    """What the steps before package leave behind, made up."""
    name = "fabricated_package"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, _FABRICATED)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory, fabricated: ModuleType) -> Path:
    """A bundle of two skills, `colour` and `light`; tests that change it copy it."""
    from components.package.config import PackageConfig
    from components.package.step import package

    fleet, _, register = fabricated.fabricate(tmp_path_factory.mktemp("fleet"))
    return package(fleet, [register], config=PackageConfig(build_bento=False)).path / "bundle"


@pytest.fixture(scope="session")
def bundle(bundle_folder: Path) -> Bundle:
    return load_bundle(bundle_folder)


@pytest.fixture(scope="session")
def predictor(bundle: Bundle) -> Predictor:
    return Predictor(bundle, threads=1)
