"""`coachworks images`: names of the container images, and the commands that build, push and load them."""

import json
import shlex
from pathlib import Path

import click

from coachworks import __version__
from coachworks.bundled_files import checkout
from coachworks.cli.options import json_option
from components.container_images import TARGETS, tag, write_context

_CONTEXT = "images-context"  # the folder that the printed commands use where there is no checkout


@click.command()
@json_option
@click.option("--tag", "target", type=click.Choice(list(TARGETS)), help="Print only the name of this image.")
@click.option("--registry", metavar="PREFIX", default="", help="Prefix of the names, such as ghcr.io/acme.")
@click.option(
    "--context",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write the build context to this new folder, for installations without a checkout.",
)
def images(target: str | None, registry: str, folder: Path | None, as_json: bool) -> None:
    """Print the images' names and the commands that build, push and load them.

    The tag ends with a digest of the image's input files, so equal names mean equal images.

    \b
    Examples:
      coachworks images
      coachworks images --registry ghcr.io/acme
      coachworks images --tag steps --registry ghcr.io/acme
      coachworks images --context images-context
    """  # noqa: D301 — \b is click's mark
    if folder is not None:
        write_context(folder)
        click.echo(f"Wrote the build context to {folder}.", err=True)
    if target is not None:
        click.echo(tag(target, registry=registry))
        return
    names = {name: tag(name, registry=registry) for name in TARGETS}
    context = _context(folder)
    if as_json:
        document = {
            name: {"image": image, "does": TARGETS[name], "docker": _docker(name, image, context),
                   "buildah": _buildah(name, image, context)}
            for name, image in names.items()
        }  # fmt: skip
        click.echo(json.dumps(document, indent=1))
        return
    _show(names, registry, context, written=folder is not None)


def _context(folder: Path | None) -> str:
    """Return the build context, quoted for a shell command."""
    root = checkout()
    if folder is not None or root is None:
        return shlex.quote(str(folder or _CONTEXT))
    return "." if root == Path.cwd() else shlex.quote(str(root))


def _docker(name: str, image: str, context: str) -> str:
    return f"docker build --target {name} --tag {image} {_labels(context)}{context}"


def _buildah(name: str, image: str, context: str) -> str:
    return f"buildah build --layers --target {name} --tag {image} {_labels(context)}{context}"


def _labels(context: str) -> str:
    root = checkout()
    committed = root is not None and (root / ".git").exists()
    at = "" if context == "." else f"-C {context} "
    revision = f"--build-arg REVISION=$(git {at}rev-parse HEAD) " if committed else ""
    return f"--build-arg VERSION={__version__} {revision}"


def _show(names: dict[str, str], registry: str, context: str, *, written: bool) -> None:
    width = max(len(image) for image in names.values())
    click.echo(f"{'Target':<8}  {'Image':<{width}}  What it does")
    for name, image in names.items():
        click.echo(f"{name:<8}  {image:<{width}}  {TARGETS[name]}")
    click.echo()
    if checkout() is None and not written:
        _commands(f"First write the build context to ./{_CONTEXT}:", [f"coachworks images --context {_CONTEXT}"])
    _commands("Build with docker:", [_docker(name, image, context) for name, image in names.items()])
    _commands("Or with buildah:", [_buildah(name, image, context) for name, image in names.items()])
    if registry:
        _commands("Push (buildah push takes the same names):", [f"docker push {image}" for image in names.values()])
    else:
        _commands("To push them, name a registry first:", ["coachworks images --registry ghcr.io/acme"])
    _commands("Or load them into a kind cluster:", [f"kind load docker-image {' '.join(names.values())}"])
    if registry:
        _commands(
            "In fleet.yaml, so that the steps run in it:", ["spec:", "  cluster:", f"    image: {names['steps']}"]
        )


def _commands(title: str, lines: list[str]) -> None:
    click.echo("\n".join([title, *(f"  {line}" for line in lines), ""]))
