"""`coachworks images`: names of the container images, and a shell script that builds and pushes them."""

import json
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import click

from coachworks import __version__
from coachworks.bundled_files import checkout
from coachworks.cli.options import json_option
from coachworks.errors import InvalidConfigError
from components.container_images import TARGETS, tag, write_context

# tool -> its command that builds; in the order in which an installed one is chosen
_TOOLS = {"docker": "docker build", "podman": "podman build", "buildah": "buildah build --layers"}
_NEEDED_FOR = {
    "steps": "coachworks submit: all pods of a run",
    "serving": "coachworks deploy: all pods that answer, and the base of model images",
    "platform": "charts/platform: MLflow, PostgreSQL, backups; not with another MLflow server",
    "deployer": "coachworks deploy in a container of its own, such as in CI; not otherwise",
}


@dataclass(frozen=True, kw_only=True)
class Build:
    """Settings of the builds.

    Attributes:
        tool: One of docker, podman and buildah.
        arguments: Build arguments, each `NAME=VALUE`.
        folder: The build context; None: the checkout, or a temporary folder that the script writes.
        registry: Prefix of the names; empty: nothing is pushed.
    """

    tool: str
    arguments: tuple[str, ...]
    folder: Path | None
    registry: str

    @property
    def temporary(self) -> bool:
        """Tell whether the script itself writes the build context."""
        return self.folder is None and checkout() is None

    def name(self, target: str) -> str:
        """Return the name of an image."""
        return tag(target, registry=self.registry)

    def command(self, target: str) -> str:
        """Return the command that builds an image."""
        root = checkout()
        context = '"$context"' if self.temporary else _quoted(self.folder or root or Path())
        overridden = {argument.partition("=")[0] for argument in self.arguments}
        arguments = [] if "VERSION" in overridden else [f"VERSION={__version__}"]
        words = [f"--build-arg {argument}" for argument in arguments]
        if root is not None and (root / ".git").exists() and "REVISION" not in overridden:
            words.append(f'--build-arg REVISION="$(git -C {_quoted(root)} rev-parse HEAD)"')
        words += [f"--build-arg {shlex.quote(argument)}" for argument in self.arguments]
        return " ".join([_TOOLS[self.tool], f"--target {target} --tag {self.name(target)}", *words, context])

    def push(self, target: str) -> str | None:
        """Return the command that pushes an image; None without a registry."""
        return f"{self.tool} push {self.name(target)}" if self.registry else None


@click.command()
@click.argument("targets", metavar="[IMAGE]...", type=click.Choice(list(TARGETS)), nargs=-1)
@json_option
@click.option("--tag", "target", type=click.Choice(list(TARGETS)), help="Print only the name of this image.")
@click.option("--registry", metavar="PREFIX", default="", help="Prefix of the names, such as ghcr.io/acme.")
@click.option(
    "--tool",
    type=click.Choice(list(_TOOLS)),
    help="Program that builds and pushes.  [default: the first of them that is installed]",
)
@click.option(
    "--build-arg",
    "arguments",
    metavar="NAME=VALUE",
    multiple=True,
    help="Build argument, such as PIP_INDEX_URL=https://pypi.example/simple; may be repeated.",
)
@click.option(
    "--context",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write the build context to this new folder and build there; by default the checkout is built.",
)
def images(
    targets: tuple[str, ...],
    target: str | None,
    registry: str,
    tool: str | None,
    arguments: tuple[str, ...],
    folder: Path | None,
    *,
    as_json: bool,
) -> None:
    """Print a shell script that builds the images, and with a registry pushes them.

    Standard output is the script; what each image is needed for, and where to name it, is on standard error. The tag
    ends with a digest of the image's input files, so equal names mean equal images.

    \b
    Examples:
      coachworks images
      coachworks images steps serving --registry ghcr.io/acme | sh
      coachworks images steps --tool buildah --build-arg TORCH_INDEX= | sh
      coachworks images --tag steps --registry ghcr.io/acme
    """  # noqa: D301 — \b is click's mark
    if folder is not None:
        write_context(folder)
        click.echo(f"Wrote the build context to {folder}.", err=True)
    if target is not None:
        click.echo(tag(target, registry=registry))
        return
    for argument in arguments:
        if not argument.partition("=")[1] or argument.startswith("="):
            raise InvalidConfigError(
                f"--build-arg must be NAME=VALUE, such as PYTHON_IMAGE=python:3.11-slim-trixie; got {argument!r}"
            )
    build = Build(tool=tool or _installed(), arguments=arguments, folder=folder, registry=registry)
    chosen = targets or tuple(TARGETS)
    if as_json:
        click.echo(json.dumps({name: _document(build, name) for name in chosen}, indent=1))
        return
    _explain(build, chosen)
    click.echo("\n".join(_script(build, chosen)))


def _installed() -> str:
    """Return the first tool that is installed; docker where none is."""
    tool = next((tool for tool in _TOOLS if shutil.which(tool)), None)
    if tool is None:
        click.echo(f"None of {', '.join(_TOOLS)} is installed here; the script is for docker.", err=True)
    return tool or "docker"


def _quoted(folder: Path) -> str:
    return "." if folder == Path.cwd() else shlex.quote(str(folder))


def _document(build: Build, target: str) -> dict[str, str | None]:
    return {
        "image": build.name(target),
        "does": TARGETS[target],
        "needed_for": _NEEDED_FOR[target],
        "build": build.command(target),
        "push": build.push(target),
    }


def _script(build: Build, targets: tuple[str, ...]) -> list[str]:
    lines = ["set -eu"]
    if build.temporary:
        lines += [
            "context=$(mktemp -d)",
            "trap 'rm -rf \"$context\"' EXIT",
            f'coachworks images --context "$context" --tag {targets[0]} > /dev/null',
        ]
    for target in targets:
        lines += ["", f"# {target}: {TARGETS[target]}", build.command(target)]
        push = build.push(target)
        lines += [push] if push else []
    if not build.registry:
        names = " ".join(build.name(target) for target in targets)
        lines += ["", f"# On kind, load them afterwards: kind load docker-image {names}"]
    return lines


def _explain(build: Build, targets: tuple[str, ...]) -> None:
    """Print what the images are for and where they are named, on standard error."""
    width = max(len(build.name(target)) for target in targets)
    lines = [f"{'Image':<{width}}  Needed for"]
    lines += [f"{build.name(target):<{width}}  {_NEEDED_FOR[target]}" for target in targets]
    places = [place for target in targets for place in _places(build, target)]
    if places:
        lines += ["", "Name them:", *(f"  {place}" for place in places)]
    if not build.registry:
        lines += ["", "They are built on this machine only. To push them too: --registry ghcr.io/acme"]
    if build.arguments:
        lines += ["", "The names do not cover build arguments: give an image with other content a name of its own."]
    click.echo("\n".join([*lines, ""]), err=True)


def _places(build: Build, target: str) -> list[str]:
    """Return where the name of an image belongs; nothing if it is the default there."""
    name = build.name(target)
    if target == "platform":
        repository, _, version = name.rpartition(":")
        return [f"in the values of charts/platform: image: {{repository: {repository}, tag: {version}}}"]
    setting = {"steps": "spec.cluster.image", "serving": "spec.deploy.image"}.get(target)
    return [f"in fleet.yaml: {setting}: {name}"] if setting and build.registry else []
