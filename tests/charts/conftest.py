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
    program = shutil.which("helm", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if not program:
        pytest.skip("no helm on PATH; `make test` gets it where the package index has it")
    return program


@pytest.fixture(scope="session")
def template(helm: str, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A function that runs `helm template` on a chart; values are files, texts for `--set` or as dictionaries."""
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
    """A function that returns a chart's objects by kind and name; those of other namespaces as `namespace/name`."""
    known: dict[str, Objects] = {}

    def objects(chart: str | Path, *values: Values, release: str = "acme") -> Objects:
        key = json.dumps([str(chart), release, *values], default=str)
        if key not in known:
            done = template(chart, *values, release=release)
            assert done.returncode == 0, done.stderr
            known[key] = {_key(obj): obj for obj in read_objects(done.stdout)}
        return known[key]

    return objects


@pytest.fixture(scope="session")
def refusal(template: Template) -> Callable[..., str]:
    """A function that returns helm's message about values that it must refuse."""

    def message(chart: str, *values: Values, release: str = "acme") -> str:
        done = template(chart, *values, release=release)
        assert done.returncode != 0, done.stdout
        return done.stderr

    return message


@pytest.fixture(scope="session")
def lint(helm: str) -> Callable[[str, Path], str]:
    """A function that returns the messages of `helm lint --strict` about a chart with a file of values."""

    def messages(chart: str, values: Path) -> str:
        command = [helm, "lint", "--strict", "--quiet", str(CHARTS / chart), "--values", str(values)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return done.stdout + done.stderr if done.returncode else ""

    return messages


def as_yaml(value: Any) -> str:
    """Return JSON that YAML reads the same: no surrogates, and no characters that YAML takes for ends of lines."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff]", lambda match: f"\\u{ord(match[0]):04x}", text)


def _key(obj: dict[str, Any]) -> tuple[str, str]:
    name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace", "mlops")
    return obj["kind"], name if namespace == "mlops" else f"{namespace}/{name}"
