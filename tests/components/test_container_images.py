"""The images: a tag names the content, wherever it is computed; the Dockerfile keeps what pods rely on."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from write_lock import EXTRAS, hashes, pins, read_lock

from coachworks.code_digest import code_digest
from coachworks.errors import InvalidConfigError
from coachworks.settings import QUIET
from components import container_images

ROOT = Path(__file__).parents[2]
DOCKERFILE = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text("utf-8"))
STAGES = {
    re.search(r"AS (\S+)", stage).group(1): stage
    for stage in re.split(r"^(?=FROM )", DOCKERFILE, flags=re.MULTILINE)[1:]
}


def tags_from(code: Path) -> dict[str, str]:
    """Tags of all targets as the code in the folder `code` computes them."""
    statement = (
        "import json; from components import container_images as images; "
        "print(json.dumps({target: images.tag(target) for target in images.TARGETS}))"
    )
    return json.loads(python(code, statement))


def python(code: Path, statement: str) -> str:
    """Output of a statement that runs with the code in the folder `code`, and none of this checkout's."""
    command = [
        sys.executable,
        "-c",
        f"import sys; sys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]; {statement}",
    ]
    environment = {**os.environ, "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=code, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def context(tmp_path: Path) -> Path:
    container_images.write_context(tmp_path / "context")
    return tmp_path / "context"


@pytest.fixture
def installed(tmp_path: Path, context: Path) -> Path:
    """The code as a wheel installs it, laid out as pyproject.toml says."""
    site = tmp_path / "site-packages"
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    for package in wheel["packages"]:
        shutil.copytree(context / package, site / package)
    for source, target in wheel["force-include"].items():
        (site / target).parent.mkdir(exist_ok=True)
        (shutil.copytree if (context / source).is_dir() else shutil.copyfile)(context / source, site / target)
    return site


def test_a_tag_names_target_version_and_content() -> None:
    assert re.fullmatch(r"coachworks/serving:\d+\.\d+\.\d+-[0-9a-f]{12}", container_images.tag("serving"))
    assert container_images.tag("steps", registry="ghcr.io/acme/") == f"ghcr.io/acme/{container_images.tag('steps')}"
    assert container_images.tag("steps") == container_images.STEPS


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(InvalidConfigError, match="target must be one of serving, steps, platform, deployer; got 'x'"):
        container_images.tag("x")


def test_tags_are_the_same_in_a_checkout_in_a_context_and_from_a_wheel(context: Path, installed: Path) -> None:
    assert tags_from(context) == tags_from(installed) == {t: container_images.tag(t) for t in container_images.TARGETS}


def test_the_code_of_a_step_has_the_same_digest_in_a_checkout_and_from_a_wheel(installed: Path) -> None:
    statement = "from coachworks.code_digest import code_digest as d; print(d('components.document.step'))"
    assert python(installed, statement).strip() == code_digest("components.document.step")


EVERY = {"serving", "steps", "platform", "deployer"}
ALL_CODE = {"steps", "deployer"}


@pytest.mark.parametrize(
    ("name", "rebuilt"),
    [
        ("Dockerfile", EVERY),
        ("requirements.lock", EVERY),
        ("coachworks/errors.py", EVERY),
        ("serving/app.py", {"serving", *ALL_CODE}),
        ("coachworks/models/head.py", {"serving", *ALL_CODE}),
        ("coachworks/mlflow_server/backups.py", {"platform", *ALL_CODE}),
        ("coachworks/cli/showroom/car.py", ALL_CODE),
        ("components/train/step.py", ALL_CODE),
        ("components/evaluate/page.html.jinja", ALL_CODE),
        ("charts/fleet/values.yaml", ALL_CODE),
    ],
)
def test_a_tag_changes_with_the_files_of_its_image_and_with_no_other(
    context: Path, name: str, rebuilt: set[str]
) -> None:
    before = tags_from(context)
    (context / name).write_text((context / name).read_text("utf-8") + "\n", "utf-8")
    after = tags_from(context)
    assert {target for target in EVERY if after[target] != before[target]} == rebuilt


def test_the_tag_stays_when_what_is_left_out_changes(context: Path) -> None:
    before = tags_from(context)
    for name in (
        "tests/test_it.py",
        "docs/index.md",
        "README.md",
        "serving/__pycache__/app.pyc",
        "serving/.app.py.swp",
    ):
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text("changed", "utf-8")
    assert tags_from(context) == before


@pytest.mark.parametrize(
    ("target", "program"), [("serving", "serving.fetch"), ("platform", "coachworks.mlflow_server")]
)
def test_the_dockerfile_keeps_of_the_code_what_the_tag_names_and_it_suffices(
    context: Path, tmp_path: Path, target: str, program: str
) -> None:
    """Runs the very command of the Dockerfile, but for compiling."""
    command = re.search(r"^RUN (.+)$", STAGES[f"{target}-code"], flags=re.MULTILINE).group(1)
    home, venv = tmp_path / "home", tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "coachworks").touch()
    shutil.copytree(context, home, ignore=shutil.ignore_patterns("charts", ".dockerignore"))
    for place, here in {"/opt/coachworks": home, "/opt/venv": venv, "/tmp/content": tmp_path / "content"}.items():  # noqa: S108
        command = command.replace(place, str(here))
    command = command.partition("&& python -m compileall")[0]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(home)}
    subprocess.run(["sh", "-c", command], cwd=home, env=environment, check=True)
    kept = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    assert {name for name in kept if "__pycache__" not in name} == set(container_images.content(target))
    assert "coachworks" in python(home, f"import coachworks, {program}; print(coachworks.__file__)")
    with pytest.raises(subprocess.CalledProcessError):
        python(home, "import coachworks.cli")


def test_a_context_is_not_written_over_something_else(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(InvalidConfigError, match="must go to a new or empty folder"):
        container_images.write_context(tmp_path)


@pytest.mark.parametrize("target", container_images.TARGETS)
def test_every_target_runs_as_a_numeric_user_that_is_not_root(target: str) -> None:
    users = re.findall(r"^USER (.+)$", STAGES[target], flags=re.MULTILINE)
    assert users
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])


@pytest.mark.parametrize("target", container_images.TARGETS)
def test_every_target_installs_before_it_copies_code_and_says_what_it_is(target: str) -> None:
    assert "RUN" not in STAGES[target]
    copied = "code" if target in {"steps", "deployer"} else f"{target}-code"
    assert f"COPY --from={copied} /opt /opt" in STAGES[target]
    assert "code /opt" not in STAGES[f"{target}-dependencies"]
    for label in ("title", "description", "version", "revision", "source"):
        assert f"org.opencontainers.image.{label}=" in STAGES[target]
    assert f'"{container_images.TARGETS[target]}"'.lower() in STAGES[target].lower()


def test_the_images_settings_are_the_quiet_ones_and_all_that_is_written_goes_under_tmp() -> None:
    declared = dict(
        re.findall(r"([A-Z_]+)=(\S+)", re.search(r"^ENV (.+)$", STAGES["base"], flags=re.MULTILINE).group(1))
    )
    assert QUIET.items() <= declared.items()
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "BENTOML_HOME", "COACHWORKS_CACHE"):
        assert Path(declared[name]).is_relative_to("/tmp"), name  # noqa: S108 — the images' own volume


def test_nothing_needs_buildkit() -> None:
    assert not re.search(r"--mount|<<|--chmod|--link|^# *syntax", DOCKERFILE, flags=re.MULTILINE)


def test_the_build_context_is_what_the_images_copy_and_no_more() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in ignored if line and not line.startswith("#")]
    assert rules[0] == "*"
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, flags=re.MULTILINE)
        for name in line.split()
    }
    assert {rule[1:] for rule in rules if rule.startswith("!") and "*" not in rule} == copied


@pytest.fixture(scope="module")
def installs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The requirements of each target, by name, that the very command of the Dockerfile writes."""
    folder = tmp_path_factory.mktemp("requirements")
    shutil.copyfile(ROOT / "requirements.lock", folder / "requirements.lock")
    command = re.search(r"^RUN (.+)$", STAGES["requirements"], flags=re.MULTILINE).group(1)
    subprocess.run(["sh", "-c", command], cwd=folder, check=True)
    return {target: read_lock((folder / f"{target}.txt").read_text("utf-8")) for target in container_images.TARGETS}


def test_each_target_installs_the_locked_requirements_of_its_extras(installs: dict[str, dict[str, str]]) -> None:
    locked = read_lock((ROOT / "requirements.lock").read_text("utf-8"))
    assert all(requirements.items() <= locked.items() for requirements in installs.values())
    names = {target: set(requirements) for target, requirements in installs.items()}
    assert not {"torch", "mlflow", "kfp"} & names["serving"]
    assert {"torch", "mlflow", "kfp", "boto3", "typst"} | names["serving"] <= names["steps"]
    assert {"mlflow", "psycopg", "psycopg-binary", "boto3"} <= names["platform"]
    assert {"kubernetes", "mlflow-skinny", "pyarrow", "boto3"} <= names["deployer"]
    assert not {"torch", "mlflow"} & names["deployer"]
    assert not {"pytest", "mypy", "moto"} & set.union(*names.values())


@pytest.mark.parametrize("target", container_images.TARGETS)
def test_what_a_target_installs_is_all_that_its_extras_need(installs: dict[str, dict[str, str]], target: str) -> None:
    """Follows the metadata of what is installed here: pip resolves nothing in an image."""
    needed = {"coachworks": set(EXTRAS[target])}
    waiting = ["coachworks"]
    while waiting:
        name = waiting.pop()
        for line in importlib.metadata.requires(name) or []:
            requirement = Requirement(line)
            extras = needed[name] or {""}
            if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
                continue
            package = canonicalize_name(requirement.name)
            if package not in needed or not requirement.extras <= needed[package]:
                needed[package] = needed.get(package, set()) | requirement.extras
                waiting.append(package)
    assert set(installs[target]) == set(needed) - {"coachworks"}


def test_every_requirement_of_the_lock_has_hashes_and_the_images_it_goes_into() -> None:
    text = (ROOT / "requirements.lock").read_text("utf-8")
    requirements = read_lock(text)
    assert len(requirements) == text.count("\n# images: ") + 1 > 200
    assert not [name for name, block in requirements.items() if not hashes(block)]
    assert not re.search("^(nvidia-cu|triton)|[+]cpu", text, flags=re.MULTILINE)  # only of one of torch's builds


def test_pip_installs_the_versions_of_the_lock_without_hashes_too() -> None:
    assert (ROOT / "requirements.txt").read_text("utf-8") == pins((ROOT / "requirements.lock").read_text("utf-8"))


def test_torch_has_the_hashes_of_its_builds_for_cpus_and_of_the_package_index() -> None:
    torch = read_lock((ROOT / "requirements.lock").read_text("utf-8"))["torch"]
    assert len(hashes(torch)) >= 2 * 4 + 24 - 1  # Linux' two architectures, four versions of Python; those of the index


@pytest.mark.parametrize("target", container_images.TARGETS)
def test_what_is_installed_in_an_image_is_compared_with_its_hash(target: str) -> None:
    commands = re.findall(r"pip --python \S+ install ([^&\n]+)", STAGES[f"{target}-dependencies"])
    assert commands[0].startswith("--no-cache-dir --no-deps --require-hashes")
    assert f"--requirement /requirements/{target}.txt" in commands[0]
    assert "check" in STAGES[f"{target}-dependencies"]  # nothing that one of them needs is missing
    assert [command.split()[-1] for command in commands[1:]] == (["torch"] if target == "steps" else [])


@pytest.mark.parametrize("more", [set(), {f"sha256:{'a' * 64}"}])
def test_the_hash_of_a_wheel_of_torch_from_another_index_can_be_passed_on(tmp_path: Path, more: set[str]) -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    (tmp_path / "steps.txt").write_text(lock, "utf-8")
    command = re.search(r"^RUN (if .+? fi)", STAGES["steps-dependencies"], flags=re.MULTILINE).group(1)
    command = command.replace("/requirements/", f"{tmp_path}/")
    environment = {**os.environ, "TORCH_HASH": "".join(more)}
    subprocess.run(["sh", "-c", command], env=environment, check=True)
    before, after = (read_lock(text) for text in (lock, (tmp_path / "steps.txt").read_text("utf-8")))
    assert hashes(after.pop("torch")) == hashes(before.pop("torch")) | more
    assert after == before


def test_every_image_that_is_not_built_here_has_a_digest() -> None:
    arguments = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)$", DOCKERFILE, flags=re.MULTILINE))
    bases = [base for base in re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.MULTILINE) if base not in STAGES]
    assert {base.strip("${}") for base in bases} == set(arguments)
    images = list(arguments.values())
    for values in (ROOT / "charts").glob("*/values.yaml"):
        defaults = images_of(yaml.safe_load(values.read_text("utf-8")))
        images += [image for image in defaults if not image.startswith(("coachworks/", ":"))]
    assert len(images) == 3
    assert [image for image in images if not re.search(r":[\w.-]+@sha256:[0-9a-f]{64}$", image)] == []


def images_of(values: object) -> list[str]:
    """`repository:tag` of each image in a chart's default values."""
    if not isinstance(values, dict):
        return []
    here = [f"{values['repository']}:{values['tag']}"] if "repository" in values else []
    return here + [image for value in values.values() for image in images_of(value)]
