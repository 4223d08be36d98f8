"""An API server in this process, as the kubeconfig's only cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kubernetes_server import Objects, kubernetes_server, write_kubeconfig


@pytest.fixture
def api_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Objects]:
    """A Kubernetes API server that KUBECONFIG names."""
    with kubernetes_server() as objects:
        objects["/version"] = {"gitVersion": "v1.34.4"}
        write_kubeconfig(tmp_path / "kubeconfig", objects.address, namespace="of-context")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        monkeypatch.delenv("HELM_KUBECONTEXT", raising=False)
        yield objects
