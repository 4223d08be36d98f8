"""The folders are the architecture: what must hold of every one of them."""

import importlib.metadata
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("coachworks", "components", "pipelines", "serving", "validation")
FOLDERS = {*PACKAGES, "benchmarks", "charts", "docs", "tests"}
HEAVY = {
    "albumentations", "bentoml", "boto3", "cv2", "great_expectations", "kfp", "matplotlib", "mlflow", "onnx", "pandas",
    "pyarrow", "scipy", "sklearn", "torch", "transformers", "typst",
}  # fmt: skip


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


MODULES = [p for p in tracked() if p.suffix == ".py" and p.relative_to(ROOT).parts[0] in PACKAGES]


def test_the_top_level_holds_the_folders_of_the_architecture_and_no_other() -> None:
    folders = {p.relative_to(ROOT).parts[0] for p in tracked() if len(p.relative_to(ROOT).parts) > 1}
    assert {name for name in folders if not name.startswith(".")} <= FOLDERS


@pytest.mark.parametrize("module", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_stay_small_and_are_not_called_utils(module: Path) -> None:
    assert len(module.read_text("utf-8").splitlines()) <= 400
    assert not {"utils", "helpers", "common", "misc"} & set(module.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize(
    "module",
    [m for m in MODULES if m.relative_to(ROOT).parts[0] in {"components", "pipelines"} and m.stem != "__init__"],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_no_module_of_a_step_hides_a_library(module: Path) -> None:
    """KFP puts a component's folder first on the path: a sibling `statistics.py` would shadow the library."""
    assert module.stem not in libraries()


@cache
def libraries() -> set[str]:
    """Import names of the standard library and of the installed packages."""
    return set(sys.stdlib_module_names) | set(importlib.metadata.packages_distributions()) - set(PACKAGES)


def test_tests_are_not_a_package() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_no_other_distribution_ships_our_import_names() -> None:
    """Two wheels with the same top-level package install without complaint and overwrite each other."""
    for distribution in importlib.metadata.distributions():
        if distribution.name != "coachworks":
            tops = {file.parts[0] for file in distribution.files or [] if len(file.parts) > 1}
            assert not tops & set(PACKAGES), distribution.name


STEPS = sorted(p.parent.name for p in (ROOT / "components").glob("*/step.py"))
HELP = (
    "from click.testing import CliRunner; from coachworks.cli.main import cli; "
    "assert CliRunner().invoke(cli, ['--help']).exit_code == 0"
)
SERVICE = "import serving.predictor, serving.bundle"
PIPELINE = "import pipelines.fleet"


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """Heavy libraries that are loaded after each statement, one after the other in one process."""
    statements = [SERVICE, *(f"import components.{step}.step" for step in STEPS), HELP, PIPELINE]
    code = (
        "import sys, json\n"
        "for statement in json.loads(sys.argv[1]):\n"
        "    exec(statement)\n"
        "    print(json.dumps([statement, [name for name in sys.modules if '.' not in name]]))"
    )
    command = [sys.executable, "-c", code, json.dumps(statements)]
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return {statement: set(modules) & HEAVY for statement, modules in map(json.loads, output.splitlines())}


def test_help_imports_nothing_heavy(imported: dict[str, set[str]]) -> None:
    assert not imported[HELP]


@pytest.mark.parametrize("step", STEPS)
def test_importing_a_step_imports_nothing_heavy(imported: dict[str, set[str]], step: str) -> None:
    assert not imported[f"import components.{step}.step"]


def test_importing_the_service_s_parts_needs_none_of_training_s_libraries(imported: dict[str, set[str]]) -> None:
    assert not imported[SERVICE]


def test_importing_the_pipeline_imports_kfp_alone(imported: dict[str, set[str]]) -> None:
    assert not imported[PIPELINE] & {"torch", "mlflow", "great_expectations", "bentoml", "sklearn"}
