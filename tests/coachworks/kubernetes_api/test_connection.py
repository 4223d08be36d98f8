"""Connection to the cluster that the environment names, its clock, and the rights that it grants."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from coachworks.errors import CoachworksError, InvalidConfigError, TransientError
from coachworks.kubernetes_api import connect, find_connection

REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def test_the_kubeconfig_names_cluster_context_and_namespace(api_server):
    connection = connect()
    assert (connection.context, connection.namespace) == ("test", "of-context")
    assert connection.get("/version") == {"gitVersion": "v1.34.4"}


def test_without_a_kubeconfig_the_message_shows_the_way_out(api_server, monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert find_connection() is None
    with pytest.raises(InvalidConfigError, match=r"no Kubernetes cluster is configured. Set KUBECONFIG to a kubeconf"):
        connect()


def test_an_unknown_context_is_refused(api_server, monkeypatch):
    monkeypatch.setenv("HELM_KUBECONTEXT", "elsewhere")
    with pytest.raises(InvalidConfigError, match="no context 'elsewhere', which HELM_KUBECONTEXT names"):
        connect()


def test_a_kubeconfig_that_is_not_yaml_is_refused(api_server, tmp_path):
    (tmp_path / "kubeconfig").write_text("apiVersion: [\n")
    with pytest.raises(InvalidConfigError, match=r"(?s)the kubeconfig cannot be read: .* Set KUBECONFIG to"):
        connect()


def test_a_server_that_is_down_is_a_transient_error(api_server):
    api_server.down = True
    with pytest.raises(TransientError, match=r"the cluster 'test' at http://127.0.0.1:[0-9]+ does not answer"):
        connect().get("/version")


def test_a_timeout_ends_a_request(api_server):
    api_server.delay_s = 3
    started = time.monotonic()
    with pytest.raises(TransientError, match=r"does not answer \(.*timed out"):
        connect().with_timeout(0.2).get("/version")
    assert time.monotonic() - started < 2


def test_time_is_that_of_the_server_also_after_a_refusal(api_server, monkeypatch):
    class Ahead(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(hours=1)

    monkeypatch.setattr("coachworks.kubernetes_api.connection.datetime", Ahead)
    api_server["/version"] = 503
    connection = connect()
    with pytest.raises(CoachworksError):
        connection.get("/version")
    for each in (connection, connection.with_timeout(1)):
        assert abs(each.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_right_is_reviewed_by_the_server(api_server):
    connection = connect()
    api_server[REVIEW] = {"status": {"allowed": True}}
    assert connection.allows("create", "deployments.apps", "models")
    api_server[REVIEW] = {"status": {"allowed": False}}
    assert not connection.allows("get", "pods/portforward", "models")
