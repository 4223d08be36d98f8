"""What Kubernetes says of the pipelines' namespace, as far as it lets us look."""

import base64
from typing import Any

import pytest

from coachworks.kubernetes_api import Trouble
from pipelines.doctor.namespace import NAMESPACE, RIGHTS, open_namespace

HERE = "/api/v1/namespaces/kubeflow"
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def secret(**entries: str) -> dict[str, Any]:
    data = {name: base64.b64encode(value.encode()).decode() for name, value in entries.items()}
    return {"kind": "Secret", "type": "Opaque", "data": data}


@pytest.fixture
def look(api_server, cluster_fleet):
    """What is found, by its subject; the namespace is there and all rights are given, unless a test says otherwise."""
    api_server[HERE] = {"kind": "Namespace"}
    api_server[REVIEW] = {"spec": {}, "status": {"allowed": True}}

    def check(**cluster):
        namespace = open_namespace("kubeflow")
        return {finding.what: finding for finding in namespace.check(cluster_fleet(**cluster).spec.cluster)}

    return check


def test_all_that_is_named_and_there_is_well(look, api_server):
    api_server[f"{HERE}/secrets/cars"] = secret(AWS_ACCESS_KEY_ID="id", AWS_SECRET_ACCESS_KEY="s3cr3t")  # noqa: S106
    api_server[f"{HERE}/configmaps/addresses"] = {"data": {"MLFLOW_TRACKING_URI": "http://mlflow:5000"}}
    api_server[f"{HERE}/configmaps/ca"] = {"data": {"ca.crt": "-----BEGIN CERTIFICATE-----\nAA"}}
    api_server[f"{HERE}/secrets/registry"] = {"type": "kubernetes.io/dockerconfigjson"}
    found = look(
        environment=[{"secret": "cars"}, {"configMap": "addresses"}],
        certificateAuthority={"configMap": "ca"},
        imagePullSecrets=["registry"],
    )
    assert {finding.verdict for finding in found.values()} == {"ok"}
    assert found["Secret cars"].said == "has AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"
    assert "s3cr3t" not in str(found)


def test_a_namespace_that_is_not_there_ends_the_look(look, api_server):
    api_server[HERE] = 404
    found = look(environment=[{"secret": "cars"}])
    assert list(found) == [NAMESPACE]
    assert "has no namespace 'kubeflow': correct `spec.cluster.namespace`" in found[NAMESPACE].way_out


def test_what_we_may_not_look_at_is_said_to_be_so(look, api_server):
    api_server[HERE] = api_server[f"{HERE}/secrets/cars"] = 403
    found = look(environment=[{"secret": "cars"}])
    assert {(finding.verdict, finding.said) for what, finding in found.items() if what != RIGHTS} == {
        ("skipped", "we may not look")
    }


def test_a_secret_that_is_not_there_or_lacks_an_entry_is_named(look, api_server):
    api_server[f"{HERE}/secrets/half"] = secret(AWS_ACCESS_KEY_ID="id")
    found = look(
        environment=[{"secret": "cars"}, {"secret": "half", "keys": ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]}]
    )
    assert found["Secret cars"].way_out.startswith("create the Secret 'cars' in the namespace 'kubeflow'")
    assert found["Secret half"].way_out.startswith("add AWS_SECRET_ACCESS_KEY to the Secret half")


def test_a_value_that_ends_with_a_new_line_is_told_but_not_shown(look, api_server):
    api_server[f"{HERE}/secrets/cars"] = secret(AWS_SECRET_ACCESS_KEY="s3cr3t\n")  # noqa: S106
    found = look(environment=[{"secret": "cars"}])
    assert "AWS_SECRET_ACCESS_KEY are empty, or begin or end with a blank" in found["Secret cars"].way_out
    assert "s3cr3t" not in str(found)


def test_a_secret_without_anything_of_use_fails(look, api_server):
    api_server[f"{HERE}/secrets/cars"] = secret(accesskey="id")
    assert "name its entries like the variables" in look(environment=[{"secret": "cars"}])["Secret cars"].way_out


def test_certificates_and_registry_secrets_of_the_wrong_kind_fail(look, api_server):
    api_server[f"{HERE}/configmaps/ca"] = {"data": {"ca.pem": "-----BEGIN CERTIFICATE-----"}}
    api_server[f"{HERE}/secrets/registry"] = secret(username="anna")
    found = look(certificateAuthority={"configMap": "ca"}, imagePullSecrets=["registry"])
    assert "into the entry 'ca.crt' of the ConfigMap 'ca'" in found["certificates in ConfigMap ca"].way_out
    assert "create secret docker-registry registry" in found["image pull secret registry"].way_out


def test_rights_that_are_missing_are_a_warning(look, api_server):
    api_server[REVIEW] = {"spec": {}, "status": {"allowed": False}}
    found = look()
    assert found[RIGHTS].verdict == "warning"
    assert "list pods, get pods/log, list events" in found[RIGHTS].way_out


def pod(**status: Any) -> dict[str, Any]:
    return {"items": [{"metadata": {"name": "doctor-1"}, "status": status}]}


@pytest.mark.parametrize(
    ("reason", "lasting"), [("ImagePullBackOff", True), ("ErrImagePull", False), ("CreateContainerConfigError", True)]
)
def test_a_pod_that_does_not_start_says_why(api_server, reason, lasting):
    waiting = {"name": "main", "image": "i", "imageID": "", "ready": False, "restartCount": 0}
    waiting["state"] = {"waiting": {"reason": reason, "message": "no"}}
    api_server[f"{HERE}/pods"] = pod(phase="Pending", containerStatuses=[waiting])
    assert open_namespace("kubeflow").trouble("5f0c") == Trouble(
        reason=reason, message="no", lasting=lasting, container="main"
    )


def test_a_pod_that_fits_no_node_or_misses_a_volume_says_so(api_server):
    unfit = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    api_server[f"{HERE}/pods"] = pod(phase="Pending", conditions=[unfit])
    assert open_namespace("kubeflow").trouble("5f0c") == Trouble(
        reason="Unschedulable", message="0/1 nodes", lasting=False
    )
    api_server[f"{HERE}/pods"] = pod(phase="Pending")
    event = {"type": "Warning", "reason": "FailedMount", "message": 'secret "cars" not found'}
    event |= {"metadata": {"name": "e"}, "involvedObject": {}}
    api_server[f"{HERE}/events"] = {"items": [event]}
    trouble = open_namespace("kubeflow").trouble("5f0c")
    assert (trouble.reason, trouble.lasting) == ("FailedMount", True)


def test_nobody_who_may_not_look_at_pods_is_bothered(api_server):
    api_server[f"{HERE}/pods"] = 403
    assert open_namespace("kubeflow").trouble("5f0c") is None
    assert open_namespace("kubeflow").logs("5f0c") == ""
