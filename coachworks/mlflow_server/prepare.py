"""What must hold before MLflow's server starts; run by an init container, so that no hook waits for the database."""

import logging
from dataclasses import dataclass, field
from typing import Any

from coachworks.errors import TransientError
from coachworks.mlflow_server import backups, database
from coachworks.s3 import open_s3, patient

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user of MLflow whose password a Secret decides.

    Attributes:
        name: Name of the user.
        password: Its password, twelve characters at least.
        admin: Whether the user may do everything.
    """

    name: str
    password: str = field(repr=False)
    admin: bool = False


def prepare(
    schemas: database.Schemas,
    accounts: list[Account],
    *,
    place: backups.Place | None,
    restore_from: str = "",
    within_s: float = 300,
) -> None:
    """Wait for the database; restore it if that is asked for; make or upgrade its tables; see to the accounts.

    A backup is taken before an upgrade or a restore changes what is there. A restore happens once per wish: the
    database notes it, and an empty `restore_from` clears the note.

    Raises:
        TransientError: the database does not answer, or not to the end.
        NotFoundError: there is no such backup.
        BackupError: the backup is not whole.
    """
    import psycopg
    import sqlalchemy.exc

    database.wait(within_s)
    try:
        _prepare(schemas, accounts, place, restore_from)
    except (psycopg.OperationalError, sqlalchemy.exc.OperationalError) as err:
        raise TransientError(
            f"PostgreSQL must go on answering; it says: {err}. Run it again: what is done is kept."
        ) from err


def _prepare(
    schemas: database.Schemas, accounts: list[Account], place: backups.Place | None, restore_from: str
) -> None:
    with database.locked() as connection:
        database.make_schemas(connection, schemas)
        if not restore_from:
            database.forget_restored(connection)
        elif place is not None and database.restored_from(connection) != restore_from:
            key = backups.find(place, restore_from)
            if not database.is_empty(connection, schemas):
                backups.backup(place, schemas)
            backups.restore(place, schemas, key=key, asked=restore_from)
        if database.needs_upgrade(schemas):
            if place is not None and not database.is_empty(connection, schemas):
                backups.backup(place, schemas)
            database.upgrade(schemas)
        keep_accounts(schemas, accounts)


def keep_accounts(schemas: database.Schemas, accounts: list[Account]) -> None:
    """Make accounts that are missing; give the others the password of their Secret."""
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    store: Any = SqlAlchemyStore()
    store.init_db(database.uri(schemas.users))
    for account in accounts:
        if not store.has_user(account.name):
            store.create_user(account.name, account.password, is_admin=account.admin)
            logger.info("made user %r", account.name)
        elif not store.authenticate_user(account.name, account.password):
            store.update_user(account.name, password=account.password)
            logger.info("gave user %r the password of its Secret", account.name)


def make_bucket(bucket: str) -> None:
    """Make a bucket, on a server that may just be starting, unless it is there."""
    client = open_s3()
    there = patient(lambda: [entry["Name"] for entry in client.list_buckets()["Buckets"]])
    if bucket not in there:
        patient(lambda: client.create_bucket(Bucket=bucket), place=f"s3://{bucket}")
        logger.info("made bucket %r", bucket)
