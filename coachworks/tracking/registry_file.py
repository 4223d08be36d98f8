"""Reader of models in the SQLite file of an embedded registry, which saves the import of MLflow.

The tables are MLflow's own. tests/components/register/test_registry_state.py compares this reader with MLflow's client,
so that a version of MLflow with other tables fails a test; docs/decisions/0020-own-mlflow-reads.md has the reasons.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from coachworks.tracking.registry import Model, Version

_BUSY_TIMEOUT_S = 5.0


@contextmanager
def open_registry_file(database: Path) -> Iterator[sqlite3.Connection]:
    """Open the file read-only.

    Raises:
        sqlite3.Error: within the context too: it is locked, or has the tables of another version of MLflow.
    """
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=_BUSY_TIMEOUT_S)) as connection:
        yield connection


def read_file_model(connection: sqlite3.Connection, name: str) -> Model:
    """Return a registered model; it has no versions if there is none of that name."""
    # Aliases first, as in `coachworks.tracking.registry`: the versions that they name are then read after them.
    aliases = connection.execute("SELECT alias, version FROM registered_model_aliases WHERE name = ?", (name,))
    numbers = {alias: str(number) for alias, number in aliases}
    tags: dict[str, dict[str, str]] = defaultdict(dict)
    for number, key, value in connection.execute(
        "SELECT version, key, value FROM model_version_tags WHERE name = ?", (name,)
    ):
        tags[str(number)][key] = value
    versions = connection.execute(
        # MLflow marks a deleted version by this stage, which its client never shows
        "SELECT version, run_id FROM model_versions WHERE name = ? AND current_stage != 'Deleted_Internal'"
        " ORDER BY version",
        (name,),
    )
    return Model(name, {str(n): Version(str(n), tags[str(n)], run_id) for n, run_id in versions}, numbers)
