"""The bento's code: all that its service can reach, and nothing else."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from coachworks.code_digest import PACKAGES, ROOT
from components.package.bento_build import sources, sources_digest


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages."""
    root = tmp_path_factory.mktemp("code")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def digests(root: Path, names: list[str]) -> dict[str, str]:
    """The digest of the bento's code after another byte in each file, as the code in `root` computes it."""
    code = (
        f"import json, pathlib, sys; sys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]\n"
        "from components.package.bento_build import sources_digest\n"
        "digests = {'': sources_digest()}\n"
        "for name in sys.argv[1:]:\n"
        "    file = pathlib.Path(name); content = file.read_bytes(); file.write_bytes(content + b'#')\n"
        "    digests[name] = sources_digest(); file.write_bytes(content)\n"
        "print(json.dumps(digests))"
    )
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code, *names]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_a_changed_byte_of_the_service_changes_the_bento_and_one_of_a_drawing_or_a_step_does_not(copied: Path) -> None:
    reached = ["serving/app.py", "coachworks/models/head.py", "coachworks/photos/decode.py"]
    others = ["coachworks/cli/showroom/car.py", "components/embed/step.py", "components/package/step.py"]
    changed = digests(copied, [*reached, *others])
    assert changed[""] == sources_digest()
    assert {name for name, digest in changed.items() if digest != changed[""]} == set(reached)


def test_the_bento_holds_no_step_no_pipeline_and_no_command() -> None:
    names = set(sources())
    assert "serving/service.py" in names
    assert {name.partition("/")[0] for name in names} == {"coachworks", "serving"}
    assert not [name for name in names if name.startswith("coachworks/cli/")]
