"""Messages of Kubernetes, as recorded, and the errors that they become."""

import pytest

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError
from coachworks.kubernetes_api import ConflictError, ForbiddenError, connect
from coachworks.kubernetes_api.failures import translation

WHERE = "the cluster 'prod' at https://10.0.0.1:6443"
PODS = (
    'pods is forbidden: User "system:serviceaccount:a:b" cannot list resource "pods" in API group "" in the namespace '
    '"models"'
)
LEASES = (
    'leases.coordination.k8s.io "coachworks-cars" is forbidden: User "ann" cannot get resource "leases" in API group '
    '"coordination.k8s.io" in the namespace "models"'
)
NAMESPACES = (
    'namespaces is forbidden: User "ann" cannot list resource "namespaces" in API group "" at the cluster scope'
)
ADMISSION = 'pods "a" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false'
REFUSED = (
    "HTTPSConnectionPool(host='10.0.0.1', port=6443): Max retries exceeded with url: /version (Caused by "
    "NewConnectionError(\"HTTPSConnection(host='10.0.0.1', port=6443): Failed to establish a new connection: [Errno "
    '111] Connection refused"))'
)
SELF_SIGNED = (
    "HTTPSConnectionPool(host='10.0.0.1', port=6443): Max retries exceeded with url: /version (Caused by "
    "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed "
    "certificate (_ssl.c:1006)')))"
)


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (401, InvalidConfigError, "does not accept the credentials \\(401\\).*log in to the cluster again"),
        (404, NotFoundError, "does not have the object"),
        (409, ConflictError, "the cluster 'test'"),
        (422, CoachworksError, "refused \\(422\\)"),
        (429, TransientError, "is busy \\(429\\)"),
        (503, TransientError, "is busy \\(503\\)"),
    ],
)
def test_a_refusal_becomes_an_error_of_its_kind(api_server, status, kind, message):
    api_server["/version"] = status
    with pytest.raises(kind, match=message):
        connect().get("/version")


@pytest.mark.parametrize(
    ("recorded", "message"),
    [
        (PODS, "does not let system:serviceaccount:a:b list pods in the namespace 'models'. Ask an administrator to"),
        (LEASES, "does not let ann get leases.coordination.k8s.io in the namespace 'models'."),
        (NAMESPACES, "does not let ann list namespaces in the whole cluster."),
        (ADMISSION, 'refuses: pods "a" is forbidden: violates PodSecurity "restricted:latest"'),
    ],
)
def test_a_missing_right_names_user_verb_and_resource(recorded, message):
    error = translation(WHERE, 403, recorded)
    assert isinstance(error, ForbiddenError)
    assert str(error).startswith(f"{WHERE} {message}")


def test_a_server_that_does_not_answer_is_reported_with_the_cause():
    error = translation(WHERE, 0, REFUSED)
    assert isinstance(error, TransientError)
    assert str(error).startswith(f"{WHERE} does not answer (Connection refused). Check KUBECONFIG")


def test_a_certificate_that_is_not_trusted_is_a_matter_of_the_kubeconfig():
    error = translation(WHERE, 0, SELF_SIGNED)
    assert isinstance(error, InvalidConfigError)
    assert "certificate verify failed: self-signed certificate. Correct `certificate-authority`" in str(error)
