"""`coachworks deploy` and `coachworks rollback`: the release of the fleet on Kubernetes."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.console import say
from coachworks.cli.options import fleet_option, json_option

if TYPE_CHECKING:
    from components.deploy.model_image import ImageContext
    from components.deploy.report import DeployReport

namespace_option = click.option(
    "-n", "--namespace", metavar="NAME", help="Namespace.  [default: `spec.deploy.namespace`]"
)
remove_option = click.option(
    "--remove",
    "removed",
    multiple=True,
    metavar="SKILL",
    help="Skill that may stop being answered under the name and port of today; may be repeated.",
)
timeout_option = click.option(
    "--timeout-s", default=600, show_default=True, help="Longest wait for pods to be ready, in seconds."
)


@click.command()
@fleet_option
@click.option("--plan", "only_plan", is_flag=True, help="Show what would change, without changing it.")
@click.option("--diff", "with_diff", is_flag=True, help="As --plan, with the changed lines of all objects.")
@click.option("--image", metavar="NAME", help="A model image: it holds the models, so pods need no store.")
@click.option(
    "--write-image",
    "image_folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the build context of a model image to FOLDER, and deploy nothing.",
)
@click.option(
    "--version",
    "pinned",
    multiple=True,
    metavar="SKILL=NUMBER",
    help="Version to deploy instead of the champion; may be repeated.",
)
@remove_option
@namespace_option
@timeout_option
@json_option
def deploy(
    file: Path,
    only_plan: bool,
    with_diff: bool,
    image: str | None,
    image_folder: Path | None,
    pinned: tuple[str, ...],
    removed: tuple[str, ...],
    namespace: str | None,
    timeout_s: int,
    as_json: bool,
) -> None:
    """Deploy the champions: one Helm release for the whole fleet.

    A new version starts as a canary beside the deployed one. Its answers must equal those that evaluation recorded
    before it gets its share of the traffic; after `spec.deploy.canary.soakSeconds` without a fault it is promoted. On
    any failure the release is rolled back, and the exit status is 1. A critical skill's version without an approval is
    left out, and the exit status is 3. A deployment, or its plan, that would stop answering a skill under the name and
    port of its Service is refused with exit status 1, unless --remove names that skill.

    \b
    Examples:
      coachworks deploy --plan
      coachworks deploy --diff
      coachworks deploy
      coachworks deploy --remove image-content
      coachworks deploy --version image-quality=7
      coachworks deploy --write-image ./image
      helm history showroom
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console

    from coachworks.cli.check import refuse_unknown_values
    from coachworks.cli.release_table import show_plan
    from coachworks.cli.terminal import TerminalProgress
    from coachworks.errors import InvalidConfigError
    from coachworks.fleet.reader import read_fleet
    from coachworks.results import jsonable
    from components.deploy.config import DeployConfig
    from components.deploy.model_image import write_context
    from components.deploy.plan import plan_deployment
    from components.deploy.releasing import release_fleet
    from components.deploy.request import DeployRequest, open_release

    if removed and image_folder is not None:
        raise InvalidConfigError("--remove belongs to a deployment, and --write-image deploys nothing. Leave one out.")
    console = Console(stderr=True)
    fleet = read_fleet(file)
    refuse_unknown_values(file, fleet)
    context = open_release(fleet, namespace)
    request = DeployRequest(image=image, pinned=_pinned(pinned), removed=removed)
    if only_plan or with_diff:
        plan = plan_deployment(context, request)
        if as_json:
            click.echo(json.dumps(jsonable(plan), indent=1, ensure_ascii=False))
        else:
            show_plan(plan, Console(), diff=with_diff)
        if plan.refusal:
            sys.exit(1)
        return
    if image_folder is not None:
        with TerminalProgress(console) as progress:
            image_context = write_context(context, request, image_folder, progress)
        _show_context(image_context, image_folder, as_json=as_json)
        return
    with TerminalProgress(console) as progress:
        report = release_fleet(context, request, config=DeployConfig(timeout_s=timeout_s), progress=progress)
    _finish(report, as_json=as_json)


@click.command()
@fleet_option
@click.argument("revision", type=int, required=False)
@remove_option
@namespace_option
@timeout_option
@json_option
def rollback(
    file: Path,
    revision: int | None,
    removed: tuple[str, ...],
    namespace: str | None,
    timeout_s: int,
    as_json: bool,
) -> None:
    """Deploy the release before the present one again, or that of REVISION in `helm history`.

    Its versions have passed their checks, so there is no canary. MLflow's alias `champion` is not moved: the next
    `coachworks deploy` deploys its versions again. A skill that was not answered then, under its present name and
    port, must be named with --remove.

    \b
    Examples:
      coachworks rollback
      coachworks rollback 4
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console

    from coachworks.cli.terminal import TerminalProgress
    from coachworks.fleet.reader import read_fleet
    from components.deploy.config import DeployConfig
    from components.deploy.releasing import roll_back
    from components.deploy.request import DeployRequest, open_release

    console = Console(stderr=True)
    context = open_release(read_fleet(file), namespace)
    with TerminalProgress(console) as progress:
        config = DeployConfig(timeout_s=timeout_s)
        report = roll_back(context, DeployRequest(removed=removed), revision, config=config, progress=progress)
    _finish(report, as_json=as_json)
    say(console, "MLflow's alias `champion` was not moved: the next `coachworks deploy` deploys its versions again.")


def _pinned(texts: tuple[str, ...]) -> dict[str, str]:
    from coachworks.errors import InvalidConfigError

    pairs = [_pair(text) for text in texts]
    repeated = [skill for skill, count in Counter(skill for skill, _ in pairs).items() if count > 1]
    if repeated:
        raise InvalidConfigError(f"--version must name a skill once; got several versions of {', '.join(repeated)}")
    return dict(pairs)


def _pair(text: str) -> tuple[str, str]:
    from coachworks.errors import InvalidConfigError

    skill, equals, number = text.partition("=")
    if not equals or not skill or not number:
        raise InvalidConfigError(f"--version must be SKILL=NUMBER, as image-quality=7; got {text!r}")
    return skill, number


def _show_context(context: "ImageContext", folder: Path, *, as_json: bool) -> None:
    """Show the versions in the image, and the commands that build and deploy it."""
    left_out = {**context.resolved.left_out, **context.resolved.awaiting}
    versions = {skill: head.version for skill, head in context.manifest.skills.items()}
    if as_json:
        document = {"image": context.image, "folder": str(folder), "skills": versions, "left_out": left_out}
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
        return
    click.echo(f"{folder}: {', '.join(f'{skill} v{version}' for skill, version in versions.items())}")
    for skill, reason in left_out.items():
        click.echo(f"  {skill}: {reason}")
    click.echo("Next:")
    click.echo(f"  docker build --tag {context.image} {folder} && docker push {context.image}")
    click.echo(f"  coachworks deploy --image {context.image}")


def _finish(report: "DeployReport", *, as_json: bool) -> None:
    """Show the report; exit with 3 where a version awaits approval."""
    from rich.console import Console

    from coachworks.cli.release_table import show_report
    from coachworks.results import jsonable

    if as_json:
        click.echo(json.dumps(jsonable(report), indent=1, ensure_ascii=False))
    else:
        show_report(report, Console())
    if report.awaiting:
        sys.exit(3)
