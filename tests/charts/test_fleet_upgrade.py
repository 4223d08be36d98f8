"""Objects that an upgrade keeps for running pods, and notes, rendered against an API server."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rendered
from fleet_values import dedicated, fleet, skill
from rendered import Objects, of_kind

from kubernetes_server import discovery, kubernetes_server

# What of Kubernetes the chart makes objects of: the kinds by the path of their version.
_KINDS = {
    "/api/v1": {"configmaps": "ConfigMap", "services": "Service", "serviceaccounts": "ServiceAccount"},
    "/apis/apps/v1": {"deployments": "Deployment"},
    "/apis/networking.k8s.io/v1": {"networkpolicies": "NetworkPolicy"},
    "/apis/policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
}


@pytest.fixture
def upgrade(helm: str, tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], Objects]]:
    """Render the chart as an upgrade would, and leave what it made in the cluster."""

    def render(values: dict[str, Any]) -> Objects:
        path = tmp_path / "values.json"
        path.write_text(json.dumps(values), "utf-8")
        command = [helm, "template", "acme", str(rendered.CHARTS / "fleet"), "-n", "mlops", "--values", str(path)]
        environ = os.environ | {"KUBECONFIG": str(tmp_path / "none"), "HELM_KUBEAPISERVER": cluster.address}
        done = subprocess.run(
            [*command, "--dry-run=server", "--disable-openapi-validation", "--no-hooks"],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        objects = {(each["kind"], each["metadata"]["name"]): each for each in rendered.read_objects(done.stdout)}
        owner = {"meta.helm.sh/release-name": "acme", "meta.helm.sh/release-namespace": "mlops"}
        cluster.clear()
        cluster.update(discovery(_KINDS))
        for path, kinds in _KINDS.items():
            for plural, kind in kinds.items():
                for name, there in of_kind(objects, kind).items():
                    metadata = {**there["metadata"], "annotations": owner}
                    cluster[f"{path}/namespaces/mlops/{plural}/{name}"] = {**there, "metadata": metadata}
        return objects

    with kubernetes_server() as cluster:
        cluster.update(discovery(_KINDS))
        yield render


def test_pods_of_before_find_their_config_map_until_the_upgrade_after(
    upgrade: Callable[[dict[str, Any]], Objects],
) -> None:
    first = upgrade(fleet())
    assert len(of_kind(first, "ConfigMap")) == 2
    second = upgrade(fleet(skills={"body": skill("body", "2"), "side": dedicated("side")}))
    kept = set(of_kind(first, "ConfigMap")) & set(of_kind(second, "ConfigMap"))
    assert set(of_kind(first, "ConfigMap")) == kept
    assert len(of_kind(second, "ConfigMap")) == 3
    (before,) = (name for name in of_kind(first, "ConfigMap") if name.startswith("acme-shared-"))
    old, new = (of_kind(objects, "ConfigMap")[before] for objects in (first, second))
    assert (new["data"], new["immutable"]) == (old["data"], True)
    assert new["metadata"]["annotations"] == {"coachworks.dev/kept": "until the next upgrade"}
    rendered.assert_known_to_kubernetes(second)
    third = upgrade(fleet(skills={"body": skill("body", "3"), "side": dedicated("side")}))
    assert before not in of_kind(third, "ConfigMap")
    assert len(of_kind(third, "ConfigMap")) == 3
    assert (
        len(of_kind(upgrade(fleet(skills={"body": skill("body", "3"), "side": dedicated("side")})), "ConfigMap")) == 2
    )


def test_a_canary_leaves_nothing_behind(upgrade: Callable[[dict[str, Any]], Objects]) -> None:
    new = {"skills": {"body": skill("body", "2"), "side": dedicated("side")}}
    upgrade(fleet())
    during = upgrade(fleet(canary={"groups": ["shared"], "values": new}))
    assert len(of_kind(during, "ConfigMap")) == 3
    after = upgrade(fleet(**new))
    assert not [name for name in of_kind(after, "ConfigMap") if "canary" in name]


def notes(helm: str, cluster: str, *settings: str) -> str:
    """Return the notes that helm prints after an installation."""
    values = [
        f"--values={rendered.CHARTS / 'fleet' / 'ci/mixed-values.yaml'}",
        *(f"--set={setting}" for setting in settings),
    ]
    command = [helm, "install", "acme", str(rendered.CHARTS / "fleet"), "--namespace", "cars", *values]
    command += ["--dry-run=client", "--disable-openapi-validation"]
    environ = os.environ | {"KUBECONFIG": "none", "HELM_KUBEAPISERVER": cluster}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.partition("\nNOTES:\n")[2]


def test_the_notes_say_which_namespaces_may_send_requests_and_how_to_allow_another(helm: str) -> None:
    with kubernetes_server() as cluster:
        cluster.update(discovery(_KINDS))
        text = notes(helm, cluster.address)
        unlimited = notes(helm, cluster.address, "networkPolicy.enabled=false")
    assert (
        "Only pods of cars, shop, ingress-nginx, and addresses of 10.1.0.0/16, may send requests; those of other "
        "namespaces time out without an answer." in text
    )
    assert "  networkPolicy: {namespaces: [shop, ingress-nginx, NAMESPACE]}\n" in text
    assert "http://body-type.cars.svc:8080/v1/predict" in unlimited
    assert "time out" not in unlimited
