"""Checks of the pipelines' namespace, as far as the kubeconfig gives the rights."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from coachworks.kubernetes_api import connect
from pipelines.doctor.findings import Finding
from pipelines.doctor.namespace import NAMESPACE, RIGHTS, NamespaceChecks

PATH = "/api/v1/namespaces/kubeflow"
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def secret(**entries: str) -> dict[str, Any]:
    data = {name: base64.b64encode(value.encode()).decode() for name, value in entries.items()}
    return {"kind": "Secret", "type": "Opaque", "data": data}


@pytest.fixture
def check(api_server, cluster_fleet) -> Callable[..., dict[str, Finding]]:
    """Check a namespace that exists, with all rights, and return the findings by subject."""
    api_server[PATH] = {"kind": "Namespace"}
    api_server[REVIEW] = {"spec": {}, "status": {"allowed": True}}

    def run(**cluster: Any) -> dict[str, Finding]:
        checks = NamespaceChecks(connect(), "kubeflow")
        return {finding.subject: finding for finding in checks.run(cluster_fleet(**cluster).spec.cluster)}

    return run


def test_objects_that_exist_are_ok(check, api_server):
    api_server[f"{PATH}/secrets/cars"] = secret(AWS_ACCESS_KEY_ID="id", AWS_SECRET_ACCESS_KEY="s3cr3t")  # noqa: S106
    api_server[f"{PATH}/configmaps/addresses"] = {"data": {"MLFLOW_TRACKING_URI": "http://mlflow:5000"}}
    api_server[f"{PATH}/configmaps/ca"] = {"data": {"ca.crt": "-----BEGIN CERTIFICATE-----\nAA"}}
    api_server[f"{PATH}/secrets/registry"] = {"type": "kubernetes.io/dockerconfigjson"}
    findings = check(
        environment=[{"secret": "cars"}, {"configMap": "addresses"}],
        certificateAuthority={"configMap": "ca"},
        imagePullSecrets=["registry"],
    )
    assert {finding.status for finding in findings.values()} == {"ok"}
    assert findings["Secret cars"].summary == "has AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"
    assert "s3cr3t" not in str(findings)


def test_a_missing_namespace_ends_the_checks(check, api_server):
    api_server[PATH] = 404
    findings = check(environment=[{"secret": "cars"}])
    assert list(findings) == [NAMESPACE]
    assert "has no namespace 'kubeflow': correct `spec.cluster.namespace`" in findings[NAMESPACE].way_out


def test_objects_without_the_right_to_read_them_are_skipped(check, api_server):
    api_server[PATH] = api_server[f"{PATH}/secrets/cars"] = 403
    findings = check(environment=[{"secret": "cars"}])
    assert {(finding.status, finding.summary) for subject, finding in findings.items() if subject != RIGHTS} == {
        ("skipped", "no right to read it")
    }


def test_a_missing_secret_or_entry_is_named(check, api_server):
    api_server[f"{PATH}/secrets/half"] = secret(AWS_ACCESS_KEY_ID="id")
    findings = check(
        environment=[{"secret": "cars"}, {"secret": "half", "keys": ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]}]
    )
    assert findings["Secret cars"].way_out.startswith("create the Secret 'cars' in the namespace 'kubeflow'")
    assert findings["Secret half"].way_out.startswith("add AWS_SECRET_ACCESS_KEY to the Secret half")


def test_a_value_with_a_trailing_new_line_is_reported_without_showing_it(check, api_server):
    api_server[f"{PATH}/secrets/cars"] = secret(AWS_SECRET_ACCESS_KEY="s3cr3t\n")  # noqa: S106
    findings = check(environment=[{"secret": "cars"}])
    assert "AWS_SECRET_ACCESS_KEY are empty, or begin or end with a blank" in findings["Secret cars"].way_out
    assert "s3cr3t" not in str(findings)


def test_a_secret_without_variables_for_pods_fails(check, api_server):
    api_server[f"{PATH}/secrets/cars"] = secret(accesskey="id")
    assert "name its entries like the variables" in check(environment=[{"secret": "cars"}])["Secret cars"].way_out


def test_certificates_and_registry_secrets_of_the_wrong_kind_fail(check, api_server):
    api_server[f"{PATH}/configmaps/ca"] = {"data": {"ca.pem": "-----BEGIN CERTIFICATE-----"}}
    api_server[f"{PATH}/secrets/registry"] = secret(username="anna")
    findings = check(certificateAuthority={"configMap": "ca"}, imagePullSecrets=["registry"])
    assert "into the entry 'ca.crt' of the ConfigMap 'ca'" in findings["certificates in ConfigMap ca"].way_out
    assert "create secret docker-registry registry" in findings["image pull secret registry"].way_out


def test_missing_rights_are_a_warning(check, api_server):
    api_server[REVIEW] = {"spec": {}, "status": {"allowed": False}}
    findings = check()
    assert findings[RIGHTS].status == "warning"
    assert "list pods, get pods/log, list events" in findings[RIGHTS].way_out
