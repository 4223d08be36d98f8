import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def upstream() -> ModuleType:
    """Makes up what the steps before leave behind."""
    name = "fabricated_upstream"
    if name not in sys.modules:
        path = Path(__file__).parents[1] / "embed" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]
