"""MLflow's database in PostgreSQL: two schemas of one database, changed under an advisory lock."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coachworks.errors import TransientError

if TYPE_CHECKING:
    import psycopg

logger = logging.getLogger(__name__)

# Key of the advisory lock that every change of the database takes; an arbitrary number ("coach" in ASCII).
_LOCK = 0x636F616368
_OWN_SCHEMA = "coachworks"  # holds the table `restored`; dumps do not contain it
# SQL for psql that records the requested backup in the transaction that restores it.
RECORD_RESTORED = "DELETE FROM coachworks.restored;\nINSERT INTO coachworks.restored (key) VALUES (:'requested');\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schemas:
    """Names of MLflow's schemas in the database.

    Attributes:
        tracking: Schema of experiments, runs and models.
        users: Schema of users and their permissions.
    """

    tracking: str = "mlflow"
    users: str = "mlflow_users"

    def __iter__(self) -> Iterator[str]:
        yield from (self.tracking, self.users)


def uri(schema: str) -> str:
    """Return the SQLAlchemy URL of a schema; host, database and user come from libpq's environment."""
    return f"postgresql+psycopg:///?options=-csearch_path%3D{schema}"


def connect(**settings: Any) -> "psycopg.Connection[Any]":
    """Connect to the database in autocommit mode."""
    import psycopg

    return psycopg.connect(autocommit=True, connect_timeout=5, **settings)


def wait_for_database(within_s: float) -> None:
    """Return once the database answers.

    Raises:
        TransientError: it did not answer within `within_s` seconds.
    """
    import psycopg

    end = time.monotonic() + within_s
    message = ""
    while True:
        try:
            connect().close()
            return
        except psycopg.OperationalError as err:
            if str(err) != message:
                message = str(err)
                logger.info("PostgreSQL does not answer yet: %s", message)
            if time.monotonic() > end:
                raise TransientError(
                    f"PostgreSQL at {os.environ.get('PGHOST', 'localhost')!r} must answer within {within_s:.0f} s; "
                    f"the error is: {message}. Look at its pod and at PGHOST, PGDATABASE, PGUSER and PGPASSWORD."
                ) from err
        time.sleep(1)


@contextmanager
def locked() -> Iterator["psycopg.Connection[Any]"]:
    """Connect and hold the lock on changes of the database; other processes wait."""
    with connect() as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        yield connection  # PostgreSQL unlocks when the session ends


def create_schemas(connection: "psycopg.Connection[Any]", schemas: Schemas) -> None:
    """Create missing schemas and the table of restored backups."""
    from psycopg import sql

    for schema in (*schemas, _OWN_SCHEMA):
        exists = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone()
        if not exists:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    connection.execute(
        "CREATE TABLE IF NOT EXISTS coachworks.restored (key text NOT NULL, at timestamptz NOT NULL DEFAULT now())"
    )


def is_empty(connection: "psycopg.Connection[Any]", schemas: Schemas) -> bool:
    """Return whether the schemas have no tables."""
    table = connection.execute("SELECT 1 FROM pg_tables WHERE schemaname = ANY(%s)", (list(schemas),)).fetchone()
    return table is None


def restored_from(connection: "psycopg.Connection[Any]") -> str | None:
    """Return the last restored backup as it was requested; None if there is none, or the record was deleted."""
    row = connection.execute("SELECT key FROM coachworks.restored").fetchone()
    return None if row is None else str(row[0])


def forget_restored(connection: "psycopg.Connection[Any]") -> None:
    """Delete the record of the last restore, so that the same backup can be restored again."""
    connection.execute("DELETE FROM coachworks.restored")


def needs_upgrade(schemas: Schemas) -> bool:
    """Return whether the tables are missing or belong to another version of MLflow."""
    import sqlalchemy
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    tracking, users = _mlflow()
    for schema, config, table in (
        (schemas.tracking, tracking._get_alembic_config(uri(schemas.tracking)), "alembic_version"),
        (schemas.users, users._get_alembic_config(uri(schemas.users)), "alembic_version_auth"),
    ):
        engine = sqlalchemy.create_engine(uri(schema))
        try:
            with engine.connect() as connection:
                context = MigrationContext.configure(connection, opts={"version_table": table})
                if context.get_current_revision() != ScriptDirectory.from_config(config).get_current_head():
                    return True
        finally:
            engine.dispose()
    return False


def upgrade(schemas: Schemas) -> None:
    """Create or upgrade MLflow's tables, as `mlflow db upgrade` does, and those of its users."""
    import sqlalchemy

    tracking, users = _mlflow()
    engine = sqlalchemy.create_engine(uri(schemas.tracking))
    try:
        if tracking._is_empty_database(engine):
            tracking._initialize_tables(engine)
        else:
            tracking._upgrade_db(engine)
    finally:
        engine.dispose()
    engine = sqlalchemy.create_engine(uri(schemas.users))
    try:
        users.migrate(engine, "head")
    finally:
        engine.dispose()


def _mlflow() -> tuple[Any, Any]:
    """Return MLflow's modules for the tables of runs and of users.

    Both are private; a test fails when the installed version of MLflow lacks a function that is used here.
    """
    from mlflow.server.auth.db import utils as users
    from mlflow.store.db import utils as tracking

    return tracking, users
