"""Building the bento: the serving code, the bundle and their requirements, in a separate process.

The code is copied and named by a string, never imported, so that a process with torch and MLflow can build it too.
"""

import importlib.metadata
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from coachworks.code_digest import reachable_files
from coachworks.digests import digest_file, digest_json
from coachworks.errors import CoachworksError, DamagedError
from coachworks.markdown_text import markdown
from coachworks.models.manifest import Manifest
from coachworks.settings import child_environment
from coachworks.store import Store
from coachworks.store.contents import TREE_FORM, Content
from coachworks.yaml_text import yaml_text

SERVICE = "serving.service:Answers"
_TIMEOUT_S = 300


class BentoBuildError(CoachworksError):
    """BentoML could not build the bento."""


@dataclass(frozen=True)
class Bento:
    """A bento in the store.

    Attributes:
        tag: Name and version in BentoML's notation: `showroom:3f2a91c0de47`.
        path: Key of its folder in the store.
    """

    tag: str
    path: str


def sources() -> dict[str, Path]:
    """Return the code that goes into the bento: path in the bento -> file, all that the service can reach."""
    return reachable_files(SERVICE.partition(":")[0])


def sources_digest() -> str:
    """Digest of the code that goes into the bento, 16 hexadecimal digits."""
    return digest_json({name: digest_file(file) for name, file in sources().items()})[:16]


def requirements() -> list[str]:
    """Return the requirements of the service, the core and the extra `serving`, pinned to the installed versions."""
    from packaging.requirements import Requirement

    pins = set()
    for line in importlib.metadata.requires("coachworks") or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or marker.evaluate({"extra": "serving"}):
            pins.add(f"{requirement.name}=={importlib.metadata.version(requirement.name).partition('+')[0]}")
    return sorted(pins)


def bento_version(manifest: Manifest) -> str:
    """Return the bento's version: a digest of models, code and requirements, so that equal content is one bento."""
    return digest_json([manifest.digest(), sources_digest(), requirements()])[:12]


def build_bento(store: Store, manifest: Manifest, bundle: Path) -> Bento:
    """Build the bento of `bundle` and publish it, unless the store holds it already; a damaged one is replaced.

    Raises:
        BentoBuildError: BentoML could not build it.
    """
    version = bento_version(manifest)
    bento = Bento(tag=f"{manifest.fleet}:{version}", path=f"bentos/{manifest.fleet}/{version}")
    if store.exists(bento.path):
        if _is_intact(store, bento, manifest):
            return bento
        store.contents().remove(Content(bento.path, TREE_FORM, 0, ""))
    with store.scratch() as scratch:
        context, home = scratch / "context", scratch / "home"
        home.mkdir()
        for name, file in sources().items():
            target = context / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        shutil.copytree(bundle, context / "bundle")
        (context / "bentofile.yaml").write_text(yaml_text(_bentofile(manifest)), "utf-8")
        _run_bentoml(context, home, manifest.fleet, version)
        store.publish(home / "bentos" / manifest.fleet / version, bento.path)
    return bento


def _is_intact(store: Store, bento: Bento, manifest: Manifest) -> bool:
    """Return whether a stored bento is what was published; of one of an earlier version, the models are compared."""
    try:
        bundle = store.fetch(bento.path) / "src" / "bundle"
        return all(digest_file(bundle / name) == sha256 for name, sha256 in manifest.files().items())
    except (DamagedError, OSError):
        return False


def _bentofile(manifest: Manifest) -> dict[str, object]:
    skills = "\n".join(
        f"| {name} | {', '.join(map(markdown, head.labels))} | {head.version} |"
        for name, head in manifest.skills.items()
    )
    return {
        "service": SERVICE,
        "description": f"# {manifest.fleet}\n\n| skill | labels | version |\n|---|---|---|\n{skills}\n",
        "labels": {"fleet": manifest.fleet, "backbone": manifest.backbone.name},
        "include": ["*"],
        "python": {"packages": requirements(), "lock_packages": False},
    }


def _run_bentoml(context: Path, home: Path, name: str, version: str) -> None:
    environment = {
        **child_environment(),
        "BENTOML_HOME": str(home),
        "BENTOML_DO_NOT_TRACK": "True",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "bentoml", "build", "--name", name, "--version", version, "--output", "tag"]
    try:
        done = subprocess.run(  # noqa: S603 — our own interpreter, no shell
            command,
            cwd=context,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as err:
        raise BentoBuildError(f"`bentoml build` must end within {_TIMEOUT_S} s; it did not") from err
    if done.returncode != 0 or not (home / "bentos" / name / version / "bento.yaml").exists():
        output = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise BentoBuildError(f"`bentoml build` ended with status {done.returncode}:\n{output}")
