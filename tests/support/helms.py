"""The helm commands that tests run with: Helm 4, and Helm 3 where it can be had."""

import os
import shutil
import sys
from pathlib import Path

import pytest

PLACES = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
BOTH = pytest.mark.parametrize("command", ["helm", "helm3"])


def find(command: str) -> str:
    """Where `helm` or `helm3` is; skips where there is none."""
    found = shutil.which(command, path=PLACES)
    if found is None:
        pytest.skip(f"no {command} on PATH; `make test` gets it where the package index has it")
    return found
