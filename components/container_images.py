"""The images that everything runs in, each under a tag that names its content."""

import shutil
from functools import cache
from pathlib import Path

from coachworks import __version__
from coachworks.bundled_files import bundled_file
from coachworks.code_digest import PACKAGES, ROOT, reachable_files
from coachworks.digests import digest_file, digest_json
from coachworks.errors import InvalidConfigError

STEPS: str  # the image of the pipeline's steps; computed at the first use

# target of the Dockerfile -> what it is for
TARGETS = {
    "serving": "answers about photos",
    "steps": "runs the steps of the pipeline",
    "platform": "MLflow's server, and backups of its database",
    "deployer": "helm and the command",
}
# The programs that charts/fleet and charts/platform start in an image: it holds the code that these reach. The other
# two hold all of it: the command, and the steps that it finds by name.
_PROGRAMS = {
    "serving": ("serving.launcher", "serving.service", "serving.fetch"),
    "platform": ("coachworks.mlflow_server.__main__",),
}
_WITH_CHARTS = ("steps", "deployer")  # the targets that can deploy
_FILES = ("Dockerfile", "LICENSE", "pyproject.toml", "requirements.lock")


def tag(target: str, *, registry: str = "") -> str:
    """Return the name of the image that `target` of the Dockerfile builds from this code.

    Args:
        target: One of `TARGETS`.
        registry: Beginning of the name, such as `ghcr.io/acme`.

    Raises:
        InvalidConfigError: there is no such target.
        NotFoundError: this installation lacks files that images are built from.
    """
    if target not in TARGETS:
        raise InvalidConfigError(f"target must be one of {', '.join(TARGETS)}; got {target!r}")
    prefix = f"{registry.rstrip('/')}/" if registry else ""
    return f"{prefix}coachworks/{target}:{__version__}-{content_digest(target)[:12]}"


@cache
def content_digest(target: str) -> str:
    """SHA-256 of the files of an image: the same in a checkout, from an installed wheel, and inside steps or deployer.

    The serving and platform images hold too little of the code to compute it; their files still have this digest.
    """
    return digest_json({name: digest_file(path) for name, path in content(target).items()})


def content(target: str) -> dict[str, Path]:
    """Return the files of this project that an image holds under /opt/coachworks, by their name there."""
    files = {name: bundled_file(name) for name in _FILES}
    if target in _WITH_CHARTS:
        files |= _tree(bundled_file("charts"), "charts")
    return files | (reachable_files(*_PROGRAMS[target]) if target in _PROGRAMS else _all_code())


def write_content(target: str, folder: Path) -> None:
    """Write the files that an image holds to `folder`; the Dockerfile calls it for the targets that hold a part."""
    _copy(content(target), folder)


def write_context(folder: Path) -> None:
    """Write the build context of all images to `folder`, for `docker build`.

    Raises:
        InvalidConfigError: there is something else in `folder`.
    """
    require_empty(folder)
    files = {name: bundled_file(name) for name in (".dockerignore", *_FILES)}
    _copy(files | _all_code() | _tree(bundled_file("charts"), "charts"), folder)
    (folder / "charts").mkdir(exist_ok=True)


def require_empty(folder: Path) -> None:
    """Require that a build context can be written to `folder`.

    Raises:
        InvalidConfigError: there is something else in `folder`.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidConfigError(f"the build context must go to a new or empty folder; {str(folder)!r} is neither")


def _copy(files: dict[str, Path], folder: Path) -> None:
    for name, path in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _all_code() -> dict[str, Path]:
    return {name: path for package in PACKAGES for name, path in _tree(ROOT / package, package).items()}


def _tree(folder: Path, name: str) -> dict[str, Path]:
    """Files of a folder that .dockerignore lets through."""
    files = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts) and parts[-1] != ".helmignore"
        if not hidden and not {"__pycache__", "shipped_files"} & set(parts) and path.is_file():
            files["/".join((name, *parts))] = path
    return files


def __getattr__(name: str) -> str:
    if name == "STEPS":
        return tag("steps")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
