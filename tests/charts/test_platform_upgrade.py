"""Upgrades of the platform chart: fields that Kubernetes cannot change, looked up in a cluster."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rendered import CHARTS, read_objects

from kubernetes_server import discovery, kubernetes_server

KINDS = {
    "/api/v1": {"configmaps": "ConfigMap", "secrets": "Secret", "services": "Service"}
    | {"serviceaccounts": "ServiceAccount", "pods": "Pod"},
    "/apis/apps/v1": {"deployments": "Deployment", "statefulsets": "StatefulSet"},
    "/apis/batch/v1": {"cronjobs": "CronJob"},
    "/apis/networking.k8s.io/v1": {"networkpolicies": "NetworkPolicy"},
    "/apis/policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
}
Upgrade = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def upgrade(helm: str, tmp_path: Path) -> Iterator[Upgrade]:
    """A function that renders an upgrade of an installation whose StatefulSet has fields that cannot be changed."""

    def render(value: str) -> subprocess.CompletedProcess[str]:
        command = [helm, "template", "acme", str(CHARTS / "platform"), "-n", "mlops", "--dry-run=server"]
        command += ["--disable-openapi-validation", "--set=image.tag=0.1.0-1a2b3c4d5e6f", f"--set={value}"]
        environ = os.environ | {"KUBECONFIG": str(tmp_path / "none"), "HELM_KUBEAPISERVER": cluster.address}
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)

    with kubernetes_server() as cluster:
        cluster.update(discovery(KINDS))
        cluster["/apis/apps/v1/namespaces/mlops/statefulsets/acme-postgresql"] = {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {
                "name": "acme-postgresql",
                "namespace": "mlops",
                "annotations": {"meta.helm.sh/release-name": "acme", "meta.helm.sh/release-namespace": "mlops"},
                "labels": {"app.kubernetes.io/managed-by": "Helm"},
            },
            "spec": {
                "podManagementPolicy": "OrderedReady",
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"storageClassName": "fast"}}],
            },
        }
        yield render


def test_an_existing_stateful_set_keeps_its_pod_management_policy(upgrade: Upgrade) -> None:
    done = upgrade("postgresql.storage.className=fast")
    assert done.returncode == 0, done.stderr
    sets = [obj for obj in read_objects(done.stdout) if obj["kind"] == "StatefulSet"]
    assert {obj["metadata"]["name"]: obj["spec"]["podManagementPolicy"] for obj in sets} == {
        "acme-postgresql": "OrderedReady",
        "acme-s3": "Parallel",
    }


def test_another_storage_class_for_an_existing_volume_is_refused_with_the_way_out(upgrade: Upgrade) -> None:
    assert (
        'postgresql.storage.className is "slow", but the volume of the StatefulSet acme-postgresql was requested with '
        '"fast", which Kubernetes cannot change. Set it back; or, if the volume holds no data yet, delete both and '
        "repeat this command: `kubectl -n mlops delete statefulset/acme-postgresql pvc/data-acme-postgresql-0`"
    ) in upgrade("postgresql.storage.className=slow").stderr
