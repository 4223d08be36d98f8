"""MLflow's private functions for its tables: present in the installed version, and called as it defines them."""

import ast
from importlib.metadata import files
from pathlib import Path

import pytest

from coachworks.mlflow_server import database

FUNCTIONS = [
    ("mlflow/store/db/utils.py", "_get_alembic_config", 1),
    ("mlflow/store/db/utils.py", "_is_empty_database", 1),
    ("mlflow/store/db/utils.py", "_initialize_tables", 1),
    ("mlflow/store/db/utils.py", "_upgrade_db", 1),
    ("mlflow/server/auth/db/utils.py", "_get_alembic_config", 1),
    ("mlflow/server/auth/db/utils.py", "migrate", 2),
]


@pytest.mark.parametrize(("module", "function", "arguments"), FUNCTIONS)
def test_the_installed_mlflow_has_the_functions_that_upgrade_its_tables(module: str, function: str, arguments: int):
    (path,) = [Path(file.locate()) for file in files("mlflow") if str(file) == module]
    defined = {node.name: node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
    assert function in defined, f"{module} has no {function} any more: adapt coachworks/mlflow_server/database.py"
    parameters = defined[function].args
    assert len(parameters.args) - len(parameters.defaults) <= arguments <= len(parameters.args)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_created_tables_need_no_upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "uri", lambda schema: f"sqlite:///{tmp_path / schema}.db")
    schemas = database.Schemas()
    assert database.needs_upgrade(schemas)
    for _ in range(2):
        database.upgrade(schemas)
        assert not database.needs_upgrade(schemas)
