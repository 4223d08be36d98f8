"""Preparation of database, accounts and bucket before MLflow's server starts.

It runs in an init container rather than in a Helm hook, because hooks would have to wait for the database.
"""

import logging
from dataclasses import dataclass, field
from typing import Any

from coachworks.errors import TransientError
from coachworks.mlflow_server import backups, database
from coachworks.s3 import open_s3, with_retries

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An MLflow user whose password comes from a Secret.

    Attributes:
        name: Name of the user.
        password: Password, at least twelve characters.
        admin: True for an administrator.
    """

    name: str
    password: str = field(repr=False)
    admin: bool = False


def prepare(
    schemas: database.Schemas,
    accounts: list[Account],
    *,
    location: backups.BackupLocation | None,
    restore_from: str = "",
    within_s: float = 300,
) -> None:
    """Wait for the database, restore it if requested, create or upgrade its tables, create or update the accounts.

    A backup is taken before an upgrade or a restore changes data. A requested restore happens once: the database
    records it, and an empty `restore_from` deletes the record.

    Raises:
        TransientError: the database does not answer, or stopped answering.
        NotFoundError: there is no such backup.
        BackupError: the backup is not complete.
    """
    import psycopg
    import sqlalchemy.exc

    database.wait_for_database(within_s)
    try:
        _prepare(schemas, accounts, location, restore_from)
    except (psycopg.OperationalError, sqlalchemy.exc.OperationalError) as err:
        raise TransientError(f"PostgreSQL stopped answering: {err}. Run it again: what is done is kept.") from err


def _prepare(
    schemas: database.Schemas,
    accounts: list[Account],
    location: backups.BackupLocation | None,
    restore_from: str,
) -> None:
    with database.locked() as connection:
        database.create_schemas(connection, schemas)
        if not restore_from:
            database.forget_restored(connection)
        elif location is not None and database.restored_from(connection) != restore_from:
            key = backups.find_backup(location, restore_from)
            if not database.is_empty(connection, schemas):
                backups.backup(location, schemas)
            backups.restore(location, schemas, key=key, requested=restore_from)
        if database.needs_upgrade(schemas):
            if location is not None and not database.is_empty(connection, schemas):
                backups.backup(location, schemas)
            database.upgrade(schemas)
        ensure_accounts(schemas, accounts)


def ensure_accounts(schemas: database.Schemas, accounts: list[Account]) -> None:
    """Create missing accounts; set the passwords of the others to those of their Secrets."""
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    store: Any = SqlAlchemyStore()
    store.init_db(database.uri(schemas.users))
    for account in accounts:
        if not store.has_user(account.name):
            store.create_user(account.name, account.password, is_admin=account.admin)
            logger.info("created user %r", account.name)
        elif not store.authenticate_user(account.name, account.password):
            store.update_user(account.name, password=account.password)
            logger.info("set the password of user %r to that of its Secret", account.name)


def create_bucket(bucket: str) -> None:
    """Create a bucket if it does not exist; the server may still be starting."""
    client = open_s3()
    existing = with_retries(lambda: [entry["Name"] for entry in client.list_buckets()["Buckets"]])
    if bucket not in existing:
        with_retries(lambda: client.create_bucket(Bucket=bucket), address=f"s3://{bucket}")
        logger.info("created bucket %r", bucket)
