"""The code in a result's key: every file that a step can reach, and no other."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import components
from coachworks.code_digest import PACKAGES, ROOT, code_digest, reachable_files
from coachworks.errors import NotFoundError
from coachworks.steps import CHAIN, discover

STEPS = [f"components.{step.name}.step" for step in discover(components)]
# A template of a step's own folder, a module of one of its sub-packages, a module of the packages below.
REACHED = {
    "components.validate.step": ["components/validate/page.html.jinja", "validation/suite.py"],
    "components.embed.step": ["components/embed/worker.py", "components/augment/policy.py"],
    "components.train.step": ["coachworks/models/head.py", "components/train/mlp.py"],
    "components.evaluate.step": ["components/evaluate/page.html.jinja", "coachworks/bootstrap.py"],
    "components.register.step": ["coachworks/tracking/client.py", "components/register/pyfunc_loader.py"],
    "components.package.step": ["serving/app.py", "coachworks/models/manifest.py"],
    "components.document.step": ["components/document/templates/page.css", "components/document/templates/page.tex.j2"],
    "components.deploy.step": ["components/deploy/canary/smoke.py", "coachworks/kubernetes_api/connection.py"],
}
SHARED = ["coachworks/__init__.py", "coachworks/store/folder.py", "coachworks/results.py", "coachworks/code_digest.py"]
UNREACHED = [
    "coachworks/cli/main.py",
    "coachworks/cli/showroom/car.py",
    "pipelines/local.py",
    "components/dashboard.py",
]


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages, whose files a test changes and restores."""
    root = tmp_path_factory.mktemp("code")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__", "shipped_files"))
    return root


def changes(root: Path, module: str, *names: str) -> bool:
    """Return whether another byte in each of the files changes the digest of `module`."""
    before = code_digest(module, root=root)
    contents = {root / name: (root / name).read_bytes() for name in names}
    try:
        for file, content in contents.items():
            file.write_bytes(content + b"\n")
        return code_digest(module, root=root) != before
    finally:
        for file, content in contents.items():
            file.write_bytes(content)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    return root


def reached(root: Path, module: str = "components.paint.step") -> set[str]:
    return set(reachable_files(module, root=root))


def test_every_step_of_the_chain_is_tested_here() -> None:
    assert [name.split(".")[1] for name in STEPS] == list(CHAIN)


@pytest.mark.parametrize("step", STEPS)
def test_a_byte_in_the_step_or_in_a_module_that_it_shares_changes_its_digest(copied: Path, step: str) -> None:
    own = [f"{step.replace('.', '/')}.py", f"{step.rpartition('.')[0].replace('.', '/')}/config.py"]
    for name in [*own, *SHARED, *REACHED.get(step, [])]:
        assert changes(copied, step, name), name


@pytest.mark.parametrize("step", STEPS)
def test_a_byte_that_the_step_cannot_reach_leaves_its_digest(copied: Path, step: str) -> None:
    folder = step.rpartition(".")[0].replace(".", "/")
    others = {f"{other.replace('.', '/')}.py" for other in STEPS} - {f"{folder}/step.py"}
    assert not changes(copied, step, *UNREACHED, *others, f"{folder}/component.py")


@pytest.mark.parametrize("step", STEPS)
def test_a_copy_of_the_code_has_the_digest_of_the_original(copied: Path, step: str) -> None:
    assert code_digest(step, root=copied) == code_digest(step)


def test_no_step_loads_a_file_that_its_digest_leaves_out() -> None:
    """Python's own imports are the witness."""
    code = (
        "import importlib, json, sys\nloaded = {}\n"
        f"for step in {STEPS}:\n"
        f"    for name in list(sys.modules):\n"
        f"        if name.partition('.')[0] in {PACKAGES}: del sys.modules[name]\n"
        "    importlib.import_module(step)\n"
        f"    ours = [m for name, m in sys.modules.items() if name.partition('.')[0] in {PACKAGES}]\n"
        "    loaded[step] = [module.__file__ for module in ours]\n"
        "print(json.dumps(loaded))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    for step, files in json.loads(done.stdout).items():
        assert {Path(file) for file in files} <= set(reachable_files(step).values()), step


def test_the_packages_are_those_of_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert tuple(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == PACKAGES


def test_imports_are_followed_at_module_level_inside_functions_and_through_packages(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "components/__init__.py": "",
            "components/paint/__init__.py": "from components.paint.config import Config",
            "components/paint/config.py": "",
            "components/paint/step.py": "import coachworks.colours.mixing\ndef f():\n from components import brush",
            "components/brush.py": "try:\n import serving.hairs as h\nexcept ImportError:\n from validation import x",
            "coachworks/__init__.py": "",
            "coachworks/colours/__init__.py": "from coachworks.light import LAMP, lens",
            "coachworks/colours/mixing.py": "import os, coachworks_of_others",
            "coachworks/light/__init__.py": "LAMP = 1",
            "coachworks/light/lens.py": "",
            "coachworks/light/unused.py": "",
            "serving/__init__.py": "",
            "serving/hairs.py": "",
            "validation/__init__.py": "x = 1",
            "coachworks_of_others/__init__.py": "",
        },
    )
    every = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.py")}
    assert reached(tmp_path) == every - {"coachworks/light/unused.py", "coachworks_of_others/__init__.py"}


def test_imports_for_the_type_checker_alone_do_not_count(tmp_path: Path) -> None:
    step = (
        "import typing\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n from components.paint import a\nelse:\n from components.paint import b\n"
        "if typing.TYPE_CHECKING:\n from components.paint.a import A\n"
    )
    names = {f"components/paint/{name}.py": "" for name in ("__init__", "a", "b")}
    write(tmp_path, {**names, "components/paint/step.py": step})
    assert reached(tmp_path) == {f"components/paint/{name}.py" for name in ("__init__", "b", "step")}


def test_a_module_that_is_started_by_its_name_counts(tmp_path: Path) -> None:
    step = 'run("-m", "components.paint.worker")\nserve("serving.paint:Service")\n"components.paint.note is no name"\n'
    names = ["components/paint/__init__.py", "components/paint/worker.py", "serving/__init__.py", "serving/paint.py"]
    write(tmp_path, {**dict.fromkeys(names, ""), "components/paint/note.py": "", "components/paint/step.py": step})
    assert reached(tmp_path) == {*names, "components/paint/step.py"}


def test_data_beside_reached_modules_counts_and_caches_backups_and_other_packages_do_not(tmp_path: Path) -> None:
    data = ["components/paint/page.html.jinja", "components/paint/styles/dark/page.css", "components/paint/texts/a.py"]
    left_out = [
        "components/paint/__pycache__/step.cpython-311.pyc",
        "components/paint/page.html.jinja~",
        "components/paint/styles/page.css.bak",
        "components/paint/.step.py.swp",
        "components/paint/shipped_files/Dockerfile",
        "components/paint/unused.py",
        "components/paint/rooms/page.html",
        "components/other/page.html",
    ]
    code = ["components/paint/__init__.py", "components/paint/step.py"]
    packages = ["components/paint/rooms/__init__.py", "components/other/__init__.py"]
    write(tmp_path, dict.fromkeys([*data, *left_out, *code, *packages], ""))
    assert reached(tmp_path) == {*data, *code}


def test_a_module_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(NotFoundError, match=r"the module 'components\.none\.step' must be in '.*'; it is not"):
        code_digest("components.none.step")
