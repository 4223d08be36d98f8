"""Changes of a release's objects by hand: seen through an API server, taken back, restored."""

import copy
from typing import Any

import pytest

from coachworks.errors import TransientError
from components.deploy.cluster.namespace import Cluster
from components.deploy.drift import find_drift, mend, restore, scale
from components.deploy.helm.manifests import RenderedObjects
from kubernetes_server import Objects

ROOT = "/apis/apps/v1/namespaces/models/deployments/cars-shared"
ACCOUNT = "/api/v1/namespaces/models/serviceaccounts/cars"
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "cars-shared", "labels": {"group": "shared"}},
    "spec": {
        "replicas": 2,
        "template": {
            "metadata": {"labels": {"group": "shared"}},
            "spec": {"containers": [{"name": "answers", "env": [{"name": "THREADS", "value": "1"}]}]},
        },
    },
}
SCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "cars-shared"},
    "spec": {"scaleTargetRef": {"name": "cars-shared"}, "minReplicas": 2, "maxReplicas": 4},
}
AUTOSCALED: dict[str, Any] = copy.deepcopy(DEPLOYMENT)
del AUTOSCALED["spec"]["replicas"]


def rendered(*documents: Any) -> RenderedObjects:
    return RenderedObjects({(each["kind"], each["metadata"]["name"]): each for each in documents})


def put(server: Objects, document: Any, path: str = ROOT, **meta: Any) -> Any:
    """Put an object on the server; return it, to be changed by hand."""
    stored = copy.deepcopy(document)
    stored["metadata"] |= {"uid": "1", "resourceVersion": "2"} | meta
    server[path] = stored
    return stored


def env(document: Any) -> Any:
    return document["spec"]["template"]["spec"]["containers"][0]["env"]


def fields(drift: Any) -> dict[str, tuple[Any, Any]]:
    return {change.field.rpartition("spec.")[2]: (change.live, change.released) for change in drift.changes}


def test_an_untouched_release_has_no_drift_and_nothing_is_written(cluster: Cluster, api_server: Objects) -> None:
    put(api_server, DEPLOYMENT, annotations={"deployment.kubernetes.io/revision": "3"}, labels={"group": "shared"})
    assert not find_drift(cluster, rendered(DEPLOYMENT))
    assert api_server.asked[-1] == f"PUT {ROOT}?fieldManager=coachworks&dryRun=All"


def test_changed_and_added_variables_are_taken_back(cluster: Cluster, api_server: Objects) -> None:
    by_kubectl = {"manager": "kubectl-set", "fieldsV1": {"f:spec": {"f:template": {}}}}
    live = put(api_server, DEPLOYMENT, annotations={"note": "of another tool"}, managedFields=[by_kubectl])
    env(live)[:] = [{"name": "THREADS", "value": "4"}, {"name": "HANDMADE", "value": "yes"}]
    before = copy.deepcopy(live)
    drift = find_drift(cluster, rendered(DEPLOYMENT))
    assert fields(drift) == {
        "containers[answers].env[THREADS].value": ('"4"', '"1"'),
        "containers[answers].env[HANDMADE].value": ('"yes"', None),
    }
    assert api_server[ROOT] == before, "comparing changes nothing"
    mend(cluster, drift, rendered(DEPLOYMENT))
    assert env(api_server[ROOT]) == env(DEPLOYMENT)
    assert api_server[ROOT]["metadata"]["annotations"] == {"note": "of another tool"}
    assert not find_drift(cluster, rendered(DEPLOYMENT))
    restore(cluster, drift)
    assert env(api_server[ROOT]) == env(before)
    assert api_server.asked[-1] == f"PUT {ROOT}?fieldManager=kubectl-set"


def test_an_object_that_was_removed_is_drift_and_left_to_helm(cluster: Cluster, api_server: Objects) -> None:
    drift = find_drift(cluster, rendered(DEPLOYMENT))
    assert [str(change) for change in drift.changes] == ["Deployment cars-shared was removed"]
    mend(cluster, drift, rendered(DEPLOYMENT))
    restore(cluster, drift)
    assert ROOT not in api_server


def test_an_object_that_the_new_revision_lacks_is_not_replaced(cluster: Cluster, api_server: Objects) -> None:
    env(put(api_server, DEPLOYMENT)).clear()
    drift = find_drift(cluster, rendered(DEPLOYMENT))
    asked = len(api_server.asked)
    mend(cluster, drift, rendered())
    assert len(api_server.asked) == asked


def test_a_restart_by_kubectl_is_no_drift(cluster: Cluster, api_server: Objects) -> None:
    live = put(api_server, DEPLOYMENT)
    live["spec"]["template"]["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "2026-11-28T19:00:00Z"}
    assert not find_drift(cluster, rendered(DEPLOYMENT))


def test_the_number_of_pods_is_the_autoscalers_unless_it_sleeps(cluster: Cluster, api_server: Objects) -> None:
    put(api_server, SCALER, "/apis/autoscaling/v2/namespaces/models/horizontalpodautoscalers/cars-shared")
    live = put(api_server, AUTOSCALED)
    live["spec"]["replicas"] = 3
    assert not find_drift(cluster, rendered(AUTOSCALED, SCALER))
    live["spec"]["replicas"] = 0
    drift = find_drift(cluster, rendered(AUTOSCALED, SCALER))
    assert fields(drift) == {"replicas": ("0", "2")}
    mend(cluster, drift, rendered(AUTOSCALED, SCALER))
    assert api_server[ROOT]["spec"]["replicas"] == 2


@pytest.mark.parametrize(("manager", "drifted"), [("kube-controller-manager", False), ("kubectl", True)])
def test_an_autoscaler_that_is_not_the_release_s_is_left_alone(
    cluster: Cluster, api_server: Objects, manager: str, drifted: bool
) -> None:
    scaled = {"manager": manager, "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    put(api_server, DEPLOYMENT, managedFields=[scaled])["spec"]["replicas"] = 5
    assert bool(find_drift(cluster, rendered(DEPLOYMENT))) is drifted


def test_what_clusters_add_to_service_accounts_is_left_alone(cluster: Cluster, api_server: Objects) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "cars"}}
    put(api_server, account, ACCOUNT)["imagePullSecrets"] = [{"name": "registry"}]
    assert not find_drift(cluster, rendered(account))
    api_server[ACCOUNT]["automountServiceAccountToken"] = True
    drift = find_drift(cluster, rendered(account))
    assert [change.field for change in drift.changes] == ["automountServiceAccountToken"]
    mend(cluster, drift, rendered(account))
    assert api_server[ACCOUNT]["imagePullSecrets"] == [{"name": "registry"}]


def test_an_object_that_may_not_be_compared_is_no_drift_and_has_a_reason(cluster: Cluster, api_server: Objects) -> None:
    api_server[ROOT] = (403, "admission webhook does not support dry run")
    drift = find_drift(cluster, rendered(DEPLOYMENT))
    assert not drift
    assert "does not support dry run" in drift.unknown["Deployment cars-shared"]


def test_objects_that_may_not_be_compared_for_the_same_reason_are_listed_together(
    cluster: Cluster, api_server: Objects
) -> None:
    services = [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"s{number}"}} for number in range(5)]
    for service in services:
        api_server[f"/api/v1/namespaces/models/services/{service['metadata']['name']}"] = (403, "no right to update")
    ((names, reason),) = find_drift(cluster, rendered(*services)).unknown.items()
    assert names == "Service s0, Service s1, Service s2 and 2 more"
    assert "no right to update" in reason


def test_an_api_server_that_is_away_is_an_error(cluster: Cluster, api_server: Objects) -> None:
    api_server[ROOT] = (503, "starting")
    with pytest.raises(TransientError, match="starting"):
        find_drift(cluster, rendered(DEPLOYMENT))


def test_a_change_that_meets_a_controller_s_is_made_again(
    cluster: Cluster, api_server: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(api_server, DEPLOYMENT)
    get, reads = cluster.connection.get, []

    def get_before_a_controller(path: str) -> Any:
        live = get(path)
        reads.append(path)
        if len(reads) == 1:
            api_server[ROOT]["metadata"]["resourceVersion"] = f"newer than {live['metadata']['resourceVersion']}"
        return live

    monkeypatch.setattr(cluster.connection, "get", get_before_a_controller)
    scale(cluster, DEPLOYMENT, 1)
    assert len(reads) == 2
    reads.clear()
    assert fields(find_drift(cluster, rendered(DEPLOYMENT))) == {"replicas": ("1", "2")}, "so is a dry run"
    assert len(reads) == 2
    assert api_server[ROOT]["spec"]["replicas"] == 1
