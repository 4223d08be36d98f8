"""Objects of a release in its namespace."""

import pytest
from kubernetes_objects import CORE, pod

from coachworks.errors import InvalidConfigError
from components.deploy.cluster.namespace import open_cluster


def test_the_namespace_is_the_context_s_unless_another_is_named(api_server):
    assert open_cluster("cars").namespace == "of-context"
    assert open_cluster("cars", "models").namespace == "models"


def test_lists_select_the_release_and_are_in_order(cluster, api_server):
    api_server[f"{CORE}/pods"] = {"items": [pod(2), pod(1)]}
    api_server[f"{CORE}/events"] = {"items": []}
    assert [state.name[-1] for state in cluster.pods(group="shared", track="stable")] == ["1", "2"]
    (request,) = [line for line in api_server.asked if line.startswith(f"GET {CORE}/pods?")]
    assert "app.kubernetes.io%2Finstance%3Dcars%2Ccoachworks.dev%2Fgroup%3Dshared" in request


def test_pods_are_listed_without_the_right_to_list_events(cluster, api_server):
    api_server[f"{CORE}/pods"] = {"items": [pod()]}
    api_server[f"{CORE}/events"] = (403, "events is forbidden")
    (state,) = cluster.pods()
    assert state.problem == ""


def test_a_missing_right_is_named(cluster, api_server):
    refusal = 'pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "models"'
    api_server[f"{CORE}/pods"] = (403, refusal)
    with pytest.raises(InvalidConfigError, match=r"does not let ann list pods in the namespace 'models'\."):
        cluster.pods()
