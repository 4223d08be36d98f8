"""Commands for the containers of `charts/platform`, configured by environment variables."""

import logging
import os
import signal
import sys
from collections.abc import Mapping

import click

from coachworks.errors import CoachworksError, InvalidConfigError
from coachworks.mlflow_server.backups import BackupLocation, backup, list_backups
from coachworks.mlflow_server.database import Schemas, locked
from coachworks.mlflow_server.prepare import Account, create_bucket, prepare
from coachworks.settings import apply_quiet_settings


def read_location(environ: Mapping[str, str]) -> BackupLocation | None:
    """Return the location of backups from BACKUP_BUCKET, BACKUP_PREFIX and BACKUP_KEEP; None without a bucket."""
    if not environ.get("BACKUP_BUCKET"):
        return None
    keep = environ.get("BACKUP_KEEP", "14")
    if not keep.isdecimal():
        raise InvalidConfigError(f"BACKUP_KEEP must be a number of at least 1; got {keep!r}")
    return BackupLocation(bucket=environ["BACKUP_BUCKET"], prefix=environ.get("BACKUP_PREFIX", ""), keep=int(keep))


def read_accounts(environ: Mapping[str, str]) -> list[Account]:
    """Return the accounts whose passwords come from Secrets: the administrator, pipelines, and Prometheus."""
    accounts = []
    for prefix, admin in (("MLFLOW_AUTH_ADMIN", True), ("PIPELINES", False), ("METRICS", False)):
        name, password = environ.get(f"{prefix}_USERNAME"), environ.get(f"{prefix}_PASSWORD")
        if name and password:
            accounts.append(Account(name=name, password=password, admin=admin))
    return accounts


@click.group()
def main() -> None:
    """Prepare, back up, restore and check MLflow's server."""
    # The kernel ignores SIGTERM for the first process of a container unless it has a handler: without one, this
    # process would run until it is killed, after its successor has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    apply_quiet_settings()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    logging.getLogger("coachworks").setLevel(logging.INFO)


@main.command("prepare")
def prepare_command() -> None:
    """Create the bucket, the database's tables and the accounts before the server starts."""
    bucket = os.environ.get("MAKE_BUCKET")
    if bucket:
        create_bucket(bucket)
    prepare(
        Schemas(),
        read_accounts(os.environ),
        location=read_location(os.environ),
        restore_from=os.environ.get("RESTORE_FROM", ""),
    )


@main.command("backup")
def backup_command() -> None:
    """Dump the database to S3 and verify the dump; wait while tables are upgraded or restored."""
    location = _location()
    with locked():
        backup(location, Schemas())


@main.command("list")
def list_command() -> None:
    """Print the keys of all backups, the oldest first."""
    for key in list_backups(_location()):
        click.echo(key)


@main.command("check")
def check_command() -> None:
    """Log a run and read it back; uses MLFLOW_TRACKING_URI, _USERNAME and _PASSWORD."""
    from coachworks.mlflow_server.check import check

    check(os.environ["MLFLOW_TRACKING_URI"])
    click.echo("MLflow refuses requests without credentials, keeps runs and returns artifacts")


def _location() -> BackupLocation:
    location = read_location(os.environ)
    if location is None:
        raise InvalidConfigError("BACKUP_BUCKET must name the bucket of the backups; it is not set")
    return location


if __name__ == "__main__":
    try:
        main()
    except CoachworksError as err:
        sys.exit(f"error: {err}")
