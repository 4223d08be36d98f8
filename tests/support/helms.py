"""The helm commands that tests run with: Helm 4, and Helm 3 if it could be downloaded."""

import os
import shutil
import sys
from pathlib import Path

import pytest

PLACES = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
BOTH = pytest.mark.parametrize("command", ["helm", "helm3"])


def find(command: str) -> str:
    """Return the path of `helm` or `helm3`; skip the test if there is none."""
    program = shutil.which(command, path=PLACES)
    if program is None:
        pytest.skip(f"no {command} on PATH; `make test` gets it where the package index has it")
    return program
