"""`coachworks deploy` and `coachworks rollback`: what answers on Kubernetes."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.options import fleet_option, json_option

if TYPE_CHECKING:
    from components.deploy.model_image import ImageContext
    from components.deploy.releasing import Site

namespace_option = click.option(
    "-n", "--namespace", metavar="NAME", help="Namespace.  [default: `spec.deploy.namespace`]"
)
timeout_option = click.option(
    "--timeout-s", default=600, show_default=True, help="Longest that pods may take to be ready, in seconds."
)


@click.command(short_help="Deploy the champions to Kubernetes: canary, bake, promotion, or back by itself.")
@fleet_option
@click.option("--plan", "only_plan", is_flag=True, help="Show what would change, and do nothing.")
@click.option("--image", metavar="NAME", help="An image that holds the models; pods then need no store.")
@click.option(
    "--bake",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write what such an image is built from to FOLDER, and deploy nothing.",
)
@click.option(
    "--version",
    "pinned",
    multiple=True,
    metavar="SKILL=NUMBER",
    help="This version instead of the champion; may be repeated.",
)
@namespace_option
@timeout_option
@json_option
def deploy(
    file: Path,
    only_plan: bool,
    image: str | None,
    bake: Path | None,
    pinned: tuple[str, ...],
    namespace: str | None,
    timeout_s: int,
    as_json: bool,
) -> None:
    """Deploy the champions: one Helm release for the whole fleet.

    A new version starts as a canary beside the one that answers. It must give the answers that evaluation recorded
    before it gets its share of the traffic, and hold `spec.deploy.canary.bakeSeconds` under it. Then it takes over. If
    anything is wrong, what answered before answers again, and the exit status is 1. A critical skill's version that
    nobody has approved stays out: the exit status is 3.

    \b
    Examples:
      coachworks deploy --plan
      coachworks deploy
      coachworks deploy --version image-quality=7
      coachworks deploy --bake ./image
      helm history showroom
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console

    from coachworks.cli.release_table import show_plan
    from coachworks.cli.terminal import TerminalProgress
    from coachworks.fleet.reader import read_fleet
    from coachworks.results import jsonable
    from components.deploy.config import DeployConfig
    from components.deploy.model_image import write_context
    from components.deploy.plan import plan
    from components.deploy.releasing import Wish, open_site, release_fleet

    console = Console(stderr=True)
    site = open_site(read_fleet(file), namespace)
    wish = Wish(namespace=namespace, image=image, pinned=_pinned(pinned))
    if only_plan:
        planned = plan(site, wish)
        if as_json:
            click.echo(json.dumps(jsonable(planned), indent=1, ensure_ascii=False))
        else:
            show_plan(planned, Console())
        return
    if bake is not None:
        with TerminalProgress(console) as progress:
            written = write_context(site, wish, bake, progress)
        _show_context(written, bake, as_json=as_json)
        return
    with TerminalProgress(console) as progress:
        report = release_fleet(site, wish, config=DeployConfig(timeout_s=timeout_s), progress=progress)
    _finish(site, jsonable(report), as_json=as_json)


@click.command(short_help="Deploy again what was deployed before.")
@fleet_option
@click.argument("revision", type=int, required=False)
@namespace_option
@timeout_option
@json_option
def rollback(file: Path, revision: int | None, namespace: str | None, timeout_s: int, as_json: bool) -> None:
    """Deploy again what was in place before the present release, or at REVISION of `helm history`.

    It has proved itself already: there is no canary. MLflow's alias `champion` stays where it is, and the next
    `coachworks deploy` goes by it.

    \b
    Examples:
      coachworks rollback
      coachworks rollback 4
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console

    from coachworks.cli.terminal import TerminalProgress
    from coachworks.fleet.reader import read_fleet
    from coachworks.results import jsonable
    from components.deploy.config import DeployConfig
    from components.deploy.releasing import Wish, open_site, roll_back

    console = Console(stderr=True)
    site = open_site(read_fleet(file), namespace)
    with TerminalProgress(console) as progress:
        config = DeployConfig(timeout_s=timeout_s)
        report = roll_back(site, Wish(namespace=namespace), revision, config=config, progress=progress)
    _finish(site, jsonable(report), as_json=as_json)
    console.print(
        "MLflow's alias `champion` was not moved: the next `coachworks deploy` brings its versions again.",
        highlight=False,
        soft_wrap=True,
    )


def _pinned(texts: tuple[str, ...]) -> dict[str, str]:
    from coachworks.errors import InvalidConfigError

    pairs = [_pair(text) for text in texts]
    twice = [skill for skill, count in Counter(skill for skill, _ in pairs).items() if count > 1]
    if twice:
        raise InvalidConfigError(f"--version must name a skill once; got several versions of {', '.join(twice)}")
    return dict(pairs)


def _pair(text: str) -> tuple[str, str]:
    from coachworks.errors import InvalidConfigError

    skill, equals, number = text.partition("=")
    if not equals or not skill or not number:
        raise InvalidConfigError(f"--version must be SKILL=NUMBER, as image-quality=7; got {text!r}")
    return skill, number


def _show_context(written: "ImageContext", folder: Path, *, as_json: bool) -> None:
    """The versions that the image will hold, and the commands that build and deploy it."""
    left_out = {**written.resolved.left_out, **written.resolved.awaiting}
    held = {skill: head.version for skill, head in written.manifest.skills.items()}
    if as_json:
        document = {"image": written.image, "folder": str(folder), "skills": held, "left_out": left_out}
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
        return
    click.echo(f"{folder}: {', '.join(f'{skill} v{version}' for skill, version in held.items())}")
    for skill, reason in left_out.items():
        click.echo(f"  {skill}: {reason}")
    click.echo("Next:")
    click.echo(f"  docker build --tag {written.image} {folder} && docker push {written.image}")
    click.echo(f"  coachworks deploy --image {written.image}")


def _finish(site: "Site", report: dict[str, object], *, as_json: bool) -> None:
    """Show how it went; exit with 3 where a version awaits approval."""
    from rich.console import Console

    from coachworks.cli.release_table import show_report

    if as_json:
        click.echo(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        show_report(report, site, Console())
    if report["awaiting"]:
        sys.exit(3)
