"""`coachworks approve`: a person says that a model version may be deployed."""

import getpass
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.options import fleet_option, known_skills

if TYPE_CHECKING:
    from components.deploy.models.approval import Approved


@click.command(short_help="Approve a model version, as critical skills need.")
@fleet_option
@click.argument("skill")
@click.argument("version")
@click.option("--by", metavar="NAME", help="Who approves; default: Git's user.name, else the name of the login.")
@click.option("--note", default="", metavar="TEXT", help="What is to be said with it.")
@click.option("--revoke", is_flag=True, help="Take the approval back.")
def approve(file: Path, skill: str, version: str, by: str | None, note: str, revoke: bool) -> None:
    """Record in MLflow that a person has looked at a model version and lets it be deployed.

    A skill of tier critical is never deployed without. The approval is for the very head that the version holds now:
    who, when and its digest are tags of the version. It is as good as the names that people give.

    \b
    Examples:
      coachworks approve image-quality 4
      coachworks approve image-quality 4 --by "Ada Lovelace" --note "looked at all 12 mistakes"
      coachworks approve image-quality 4 --revoke
    """  # noqa: D301 — \b is click's mark
    from coachworks.fleet.reader import read_fleet
    from components.deploy.models import approval

    fleet = read_fleet(file)
    known_skills(fleet, [skill])
    name = _own_name() if by is None else by
    if not revoke:
        _show(skill, approval.approve(fleet, skill, version, by=name, note=note))
        return
    taken = approval.revoke(fleet, skill, version, by=name, note=note)
    if taken is None:
        click.echo(f"Version {version} of {skill} was not approved: there is nothing to take back.")
    else:
        click.echo(f"The approval of version {version} of {skill} by {taken.by}, {taken.at}, is taken back.")
        click.echo("What is deployed stays deployed: `coachworks rollback` goes back to an earlier release.")


def _show(skill: str, done: "Approved") -> None:
    """What was approved, so that the person sees it."""
    width = max(len(name) for name in done.facts)
    click.echo(f"Version {done.version} of {skill} is approved by {done.approval.by}, {done.approval.at}.")
    for name, value in done.facts.items():
        click.echo(f"  {name:<{width}}  {value}")
    if done.page:
        click.echo(done.page)
    if not done.needed:
        click.echo(f"{skill} is not critical: it is deployed without an approval too.")


def _own_name() -> str:
    """Git's `user.name`, else the name of the login; empty where neither is known."""
    git = shutil.which("git")
    if git is not None:
        asked = subprocess.run(  # noqa: S603 — no shell, no input from outside
            [git, "config", "user.name"], capture_output=True, text=True, timeout=10, check=False
        )
        if asked.returncode == 0 and asked.stdout.strip():
            return asked.stdout.strip()
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a pod's user may have no name
        return ""
