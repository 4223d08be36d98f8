"""`python -m coachworks.mlflow_server`: what the containers of `charts/platform` call, told by their environment."""

import logging
import os
import signal
import sys
from collections.abc import Mapping

import click

from coachworks.errors import CoachworksError, InvalidConfigError
from coachworks.mlflow_server.backups import Place, backup, backups
from coachworks.mlflow_server.database import Schemas, locked
from coachworks.mlflow_server.prepare import Account, make_bucket, prepare
from coachworks.settings import apply_quiet_settings


def place_of(environ: Mapping[str, str]) -> Place | None:
    """Where backups go: BACKUP_BUCKET, BACKUP_PREFIX, BACKUP_KEEP; None where there are none."""
    if not environ.get("BACKUP_BUCKET"):
        return None
    keep = environ.get("BACKUP_KEEP", "14")
    if not keep.isdecimal():
        raise InvalidConfigError(f"BACKUP_KEEP must be a number of at least 1; got {keep!r}")
    return Place(bucket=environ["BACKUP_BUCKET"], prefix=environ.get("BACKUP_PREFIX", ""), keep=int(keep))


def accounts_of(environ: Mapping[str, str]) -> list[Account]:
    """The accounts whose passwords Secrets decide: the administrator's, and those of pipelines and of Prometheus."""
    found = []
    for prefix, admin in (("MLFLOW_AUTH_ADMIN", True), ("PIPELINES", False), ("METRICS", False)):
        name, password = environ.get(f"{prefix}_USERNAME"), environ.get(f"{prefix}_PASSWORD")
        if name and password:
            found.append(Account(name=name, password=password, admin=admin))
    return found


@click.group()
def main() -> None:
    """Prepare, back up, restore and check MLflow's server."""
    # The first process of a container has no default for TERM: it would go on until it is killed, after its successor
    # has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    apply_quiet_settings()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    logging.getLogger("coachworks").setLevel(logging.INFO)


@main.command("prepare")
def prepare_command() -> None:
    """See to all that must hold before the server starts."""
    bucket = os.environ.get("MAKE_BUCKET")
    if bucket:
        make_bucket(bucket)
    prepare(
        Schemas(), accounts_of(os.environ), place=place_of(os.environ), restore_from=os.environ.get("RESTORE_FROM", "")
    )


@main.command("backup")
def backup_command() -> None:
    """Dump the database to S3 and verify it; while its tables are upgraded or restored, wait."""
    place = _place()
    with locked():
        backup(place, Schemas())


@main.command("list")
def list_command() -> None:
    """Print the keys of all backups, the oldest first."""
    for key in backups(_place()):
        click.echo(key)


@main.command("check")
def check_command() -> None:
    """Log a run and read it back, as MLFLOW_TRACKING_URI, _USERNAME and _PASSWORD say."""
    from coachworks.mlflow_server.check import check

    check(os.environ["MLFLOW_TRACKING_URI"])
    click.echo("MLflow refuses strangers, keeps runs and gives artifacts back")


def _place() -> Place:
    place = place_of(os.environ)
    if place is None:
        raise InvalidConfigError("BACKUP_BUCKET must name the bucket of the backups; it is not set")
    return place


if __name__ == "__main__":
    try:
        main()
    except CoachworksError as err:
        sys.exit(f"error: {err}")
