"""Reader of the embedded registry's SQLite file, which saves the import of MLflow where nothing is left to do.

The tables are MLflow's own. tests/components/register/test_registry_state.py compares this reader with MLflow's client,
so that a version of MLflow with other tables fails a test; docs/decisions/0020-own-mlflow-reads.md has the reasons.
"""

import sqlite3

from coachworks.tracking import Tracking
from coachworks.tracking.registry_file import open_registry_file, read_file_model
from coachworks.tracking.tags import EVALUATE, KIND, RUN
from components.register.lineage import SkillRecord
from components.register.registry_state import RegistryState, state_of


def read_sqlite(tracking: Tracking, record: SkillRecord) -> RegistryState | None:
    """Read the state of the registry from its SQLite file, opened read-only.

    Returns:
        The same as `read_registry`; None without an embedded registry, if it holds the skill under an earlier name, or
        if the file cannot be read: it is locked, or has the tables of another version of MLflow. MLflow's client then
        has to be asked.
    """
    if tracking.database is None or not tracking.database.exists():
        return None
    try:
        with open_registry_file(tracking.database) as connection:
            if _has_earlier_name(connection, record):
                return None
            experiment_id, runs = _read_runs(connection, record)
            return state_of(record, experiment_id, runs, read_file_model(connection, record.model))
    except sqlite3.Error:
        return None


def _has_earlier_name(connection: sqlite3.Connection, record: SkillRecord) -> bool:
    """Return whether the model or the experiment of a renamed skill has its earlier name."""
    if record.skill.was is None:
        return False
    return any(
        connection.execute(query, (name,)).fetchone() is not None
        for query, name in (
            ("SELECT 1 FROM registered_models WHERE name = ?", record.earlier_model),
            ("SELECT 1 FROM experiments WHERE name = ? AND lifecycle_stage = 'active'", record.earlier_experiment),
        )
    )


def _read_runs(connection: sqlite3.Connection, record: SkillRecord) -> tuple[str | None, dict[str, str]]:
    """Id of the skill's experiment, and the status of the evaluation's active runs by their ids."""
    experiment = connection.execute(
        "SELECT experiment_id, lifecycle_stage FROM experiments WHERE name = ?", (record.experiment,)
    ).fetchone()
    if experiment is None:
        return None, {}
    experiment_id, stage = experiment
    if stage != "active":
        return str(experiment_id), {}
    runs = connection.execute(
        "SELECT run_uuid, status FROM runs WHERE experiment_id = ? AND lifecycle_stage = 'active'"
        " AND EXISTS (SELECT 1 FROM tags t WHERE t.run_uuid = runs.run_uuid AND t.key = ? AND t.value = ?)"
        " AND EXISTS (SELECT 1 FROM tags t WHERE t.run_uuid = runs.run_uuid AND t.key = ? AND t.value = ?)",
        (experiment_id, EVALUATE, record.lineage.evaluate.key, KIND, RUN),
    )
    return str(experiment_id), dict(runs.fetchall())
