"""Registered models in an embedded MLflow, and on an MLflow server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow_process import mlflow_server
from registered import Registry, fleet_of


@pytest.fixture(scope="module")
def mlflow_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture(params=["embedded", pytest.param("server", marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def registry(
    request: pytest.FixtureRequest, tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> Registry:
    """A registry without models, of each kind."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if request.param == "embedded":
        return Registry.embedded(fleet_of(tmp_path / "store"), empty_database)
    from mlflow import MlflowClient

    address = request.getfixturevalue("mlflow_address")
    name = f"cars-{abs(hash(request.node.name)) % 10**8}"
    return Registry(fleet_of(tmp_path / "store", address, name), MlflowClient(address))
