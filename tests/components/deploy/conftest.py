"""An API server that knows what a test tells it, and a namespace of its cluster."""

from pathlib import Path

import pytest
from registered import Registry
from released import LabelledCluster, ReadyHelm, Showroom, put_backbone

from coachworks.store import FolderStore
from components.deploy.cluster.namespace import Cluster, open_cluster
from deploy_values import fleet
from kubernetes_server import Objects


@pytest.fixture
def cluster(api_server: Objects) -> Cluster:
    """The release `cars` in the namespace `models` of that server's cluster."""
    return open_cluster("cars", "models")


@pytest.fixture
def showroom(
    api_server: Objects, cluster: Cluster, store: FolderStore, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> Showroom:
    """`view` and `wheel` without a version, and that namespace without a release."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    registry = Registry.embedded(fleet(store=str(store.root)), empty_database)
    put_backbone(store)
    labelled = LabelledCluster(cluster.connection, cluster.namespace, "showroom")
    return Showroom(registry, store, api_server, labelled, ReadyHelm(api_server))
