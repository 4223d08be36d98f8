"""The images that everything runs in, each under a tag that names its content."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import coachworks
from coachworks import __version__
from coachworks.bundled_files import shipped
from coachworks.digests import digest_file, digest_json
from coachworks.errors import InvalidConfigError

STEPS: str  # the image of the pipeline's steps; computed when it is first asked for

# target of the Dockerfile -> what it is for
TARGETS = {
    "serving": "answers about photos",
    "steps": "runs the steps of the pipeline",
    "platform": "MLflow's server, and backups of its database",
    "deployer": "helm and the command",
}
PACKAGES = ("coachworks", "components", "pipelines", "serving", "validation")
_WITH_CHARTS = ("steps", "deployer")  # those that deploy
_FILES = ("Dockerfile", "LICENSE", "pyproject.toml", "requirements.lock")


@dataclass(frozen=True)
class _File:
    name: str  # in the build context
    path: Path


def tag(target: str, *, registry: str = "") -> str:
    """Name of the image that `target` of the Dockerfile makes of this very code.

    Args:
        target: One of `TARGETS`.
        registry: What the name begins with, such as `ghcr.io/acme`.

    Raises:
        InvalidConfigError: there is no such target.
        NotFoundError: this installation lacks what images are built from.
    """
    if target not in TARGETS:
        raise InvalidConfigError(f"target must be one of {', '.join(TARGETS)}; got {target!r}")
    prefix = f"{registry.rstrip('/')}/" if registry else ""
    return f"{prefix}coachworks/{target}:{__version__}-{content_digest(target)[:12]}"


@cache
def content_digest(target: str) -> str:
    """SHA-256 of what goes into an image: the same in a checkout, from an installed wheel, and inside the image."""
    files = [*_code(), *(_charts() if target in _WITH_CHARTS else ())]
    return digest_json({file.name: digest_file(file.path) for file in files})


def write_context(folder: Path) -> None:
    """Write what the images are built from to `folder`, as `docker build` wants it.

    Raises:
        InvalidConfigError: there is something else in `folder`.
    """
    require_empty(folder)
    for file in (_File(".dockerignore", shipped(".dockerignore")), *_code(), *_charts()):
        target = folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.path, target)
    (folder / "charts").mkdir(exist_ok=True)


def require_empty(folder: Path) -> None:
    """InvalidConfigError where a build context cannot go to `folder`, for something else is there."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidConfigError(f"the build context must go to a new or empty folder; {str(folder)!r} is neither")


def _code() -> Iterator[_File]:
    home = Path(coachworks.__file__).parents[1]
    for name in _FILES:
        yield _File(name, shipped(name))
    for package in PACKAGES:
        yield from _tree(home / package, package)


def _charts() -> Iterator[_File]:
    return _tree(shipped("charts"), "charts")


def _tree(folder: Path, name: str) -> Iterator[_File]:
    """The files that .dockerignore lets through."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts) and parts[-1] != ".helmignore"
        if not hidden and not {"__pycache__", "shipped_files"} & set(parts) and path.is_file():
            yield _File("/".join((name, *parts)), path)


def __getattr__(name: str) -> str:
    if name == "STEPS":
        return tag("steps")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
