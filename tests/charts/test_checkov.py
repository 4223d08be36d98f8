"""Checkov's findings in the charts, and the checks that it skips."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_every_check_that_is_passed_over_has_its_reason() -> None:
    lines = (ROOT / "charts" / "checkov.yaml").read_text("utf-8").partition("skip-check:\n")[2].splitlines()
    assert lines
    for line in lines:
        assert re.fullmatch(r"  - CKV2?_K8S_\d+ +# \S.{20,}", line), line


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_checkov_finds_nothing_else(helm: str) -> None:
    environ = os.environ | {"PATH": f"{Path(helm).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["make", "checkov"], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
