"""A fleet for a cluster, and an API server that knows what a test tells it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coachworks.fleet.model import Fleet
from kubernetes_server import Objects, kubernetes_server, write_kubeconfig


@pytest.fixture
def cluster_fleet() -> Callable[..., Fleet]:
    """A fleet for a cluster, with these settings of `spec.cluster`."""

    def make(**cluster: Any) -> Fleet:
        return Fleet.model_validate(
            {
                "apiVersion": "coachworks.dev/v1",
                "kind": "Fleet",
                "metadata": {"name": "cars"},
                "spec": {
                    "store": "s3://cars/store",
                    "tracking": "https://mlflow.example",
                    "sources": [{"photos": "s3://cars/photos"}],
                    "skills": {"view": {"labels": ["front", "rear"]}},
                    "cluster": cluster,
                },
            }
        )

    return make


@pytest.fixture
def api_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Objects]:
    """A Kubernetes API server that KUBECONFIG names: path -> object, or the status that it refuses with."""
    with kubernetes_server() as objects:
        write_kubeconfig(tmp_path / "kubeconfig", objects.address)
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        yield objects
