"""`coachworks approve`: record that a person approves a model version."""

import getpass
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.options import fleet_option, known_skills

if TYPE_CHECKING:
    from components.deploy.models.approval import ApprovedVersion


@click.command()
@fleet_option
@click.argument("skill")
@click.argument("version")
@click.option("--by", metavar="NAME", help="Name of the person; default: Git's user.name, else the login name.")
@click.option("--note", default="", metavar="TEXT", help="Remark, recorded with the approval.")
@click.option("--revoke", is_flag=True, help="Revoke the approval.")
def approve(file: Path, skill: str, version: str, by: str | None, note: str, revoke: bool) -> None:
    """Record in MLflow that a person has looked at a model version and approves its deployment.

    A skill of tier critical is never deployed without an approval. It holds for the head that the version has now:
    name, time and digest are tags of the version. Names are not verified.

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
    revoked = approval.revoke(fleet, skill, version, by=name, note=note)
    if revoked is None:
        click.echo(f"Version {version} of {skill} was not approved: there is nothing to revoke.")
    else:
        click.echo(f"The approval of version {version} of {skill} by {revoked.by}, {revoked.at}, is revoked.")
        click.echo("Deployed versions stay deployed: `coachworks rollback` deploys an earlier release.")


def _show(skill: str, done: "ApprovedVersion") -> None:
    """Show the approved version with its facts."""
    width = max(len(name) for name in done.facts)
    click.echo(f"Version {done.version} of {skill} is approved by {done.approval.by}, {done.approval.at}.")
    for name, value in done.facts.items():
        click.echo(f"  {name:<{width}}  {value}")
    if done.page:
        click.echo(done.page)
    if not done.required:
        click.echo(f"{skill} is not critical: it is deployed without an approval too.")


def _own_name() -> str:
    """Return Git's `user.name`, else the login name; empty where neither is known."""
    git = shutil.which("git")
    if git is not None:
        asked = subprocess.run(  # noqa: S603 — no shell, no input from outside
            [git, "config", "user.name"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=10,
            check=False,
        )
        if asked.returncode == 0 and asked.stdout.strip():
            return asked.stdout.strip()
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a pod's user may have no name
        return ""
