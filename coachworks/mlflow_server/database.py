"""PostgreSQL as MLflow's server uses it: two schemas of one database, upgraded under a lock."""

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

_LOCK = 0x636F616368  # of everything here that changes the database; any number that nobody else takes
_NOTES = "coachworks"  # schema of our own notes, its table `restored`; dumps leave it out
# For psql, in the transaction that restores: note what was asked for.
NOTE_RESTORED = "DELETE FROM coachworks.restored;\nINSERT INTO coachworks.restored (key) VALUES (:'asked');\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schemas:
    """Where things are in the database.

    Attributes:
        tracking: Schema of experiments, runs and models.
        users: Schema of users and their permissions.
    """

    tracking: str = "mlflow"
    users: str = "mlflow_users"

    def __iter__(self) -> Iterator[str]:
        yield from (self.tracking, self.users)


def uri(schema: str) -> str:
    """SQLAlchemy's address of a schema; libpq's environment says where the database is and who asks."""
    return f"postgresql+psycopg:///?options=-csearch_path%3D{schema}"


def connect(**settings: Any) -> "psycopg.Connection[Any]":
    """A connection to the database, each statement its own transaction."""
    import psycopg

    return psycopg.connect(autocommit=True, connect_timeout=5, **settings)


def wait(within_s: float) -> None:
    """Return once the database answers.

    Raises:
        TransientError: it did not within `within_s` seconds.
    """
    import psycopg

    end = time.monotonic() + within_s
    said = ""
    while True:
        try:
            connect().close()
            return
        except psycopg.OperationalError as err:
            if str(err) != said:
                said = str(err)
                logger.info("PostgreSQL does not answer yet: %s", said)
            if time.monotonic() > end:
                raise TransientError(
                    f"PostgreSQL at {os.environ.get('PGHOST', 'localhost')!r} must answer within {within_s:.0f} s; "
                    f"it says: {said}. Look at its pod and at PGHOST, PGDATABASE, PGUSER and PGPASSWORD."
                ) from err
        time.sleep(1)


@contextmanager
def locked() -> Iterator["psycopg.Connection[Any]"]:
    """One of us at a time: others wait."""
    with connect() as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        yield connection  # the end of the session gives the lock back


def make_schemas(connection: "psycopg.Connection[Any]", schemas: Schemas) -> None:
    """Make what is missing of the schemas and of our own notes."""
    from psycopg import sql

    for schema in (*schemas, _NOTES):
        known = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone()
        if not known:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    connection.execute(
        "CREATE TABLE IF NOT EXISTS coachworks.restored (key text NOT NULL, at timestamptz NOT NULL DEFAULT now())"
    )


def is_empty(connection: "psycopg.Connection[Any]", schemas: Schemas) -> bool:
    """Whether there is nothing that could be lost."""
    found = connection.execute("SELECT 1 FROM pg_tables WHERE schemaname = ANY(%s)", (list(schemas),)).fetchone()
    return found is None


def restored_from(connection: "psycopg.Connection[Any]") -> str | None:
    """The backup that was asked for last and restored; None when none was, or nothing has been asked for since."""
    row = connection.execute("SELECT key FROM coachworks.restored").fetchone()
    return None if row is None else str(row[0])


def forget_restored(connection: "psycopg.Connection[Any]") -> None:
    """Let the next wish to restore be a new one."""
    connection.execute("DELETE FROM coachworks.restored")


def needs_upgrade(schemas: Schemas) -> bool:
    """Whether the tables are of another version of MLflow than this one, or not there."""
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
    """Make or upgrade MLflow's tables, as `mlflow db upgrade` does, and those of its users."""
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
    """MLflow's own modules that know the tables of runs, and those of users; the lock pins its version."""
    from mlflow.server.auth.db import utils as users
    from mlflow.store.db import utils as tracking

    return tracking, users
