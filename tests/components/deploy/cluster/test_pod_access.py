"""Requests to pods that ask for an API key, and whose certificate is verified though the API server is in between."""

import base64
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority, Pair
from kubernetes_objects import RUNNING
from kubernetes_objects import pod as pod_document

from coachworks.errors import InvalidConfigError, NotFoundError, TransientError
from components.deploy.cluster.namespace import Cluster
from components.deploy.cluster.pod_access import OPEN, PodAccess, access_to
from components.deploy.cluster.pod_http import PodClient
from components.deploy.cluster.state import PodState, read_pod
from kubernetes_server import Objects

CORE = "/api/v1/namespaces/models"
KEY, OTHER = "k" * 40, "o" * 40


class Pod(ThreadingHTTPServer):
    """Answers requests that carry one of its keys; without keys, all."""

    daemon_threads, block_on_close = True, False
    keys: tuple[str, ...] = ()
    sent: list[str | None]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            assert isinstance(self.server, Pod)
            key = self.headers["Authorization"]
            self.server.sent.append(key)
            admitted = not self.server.keys or (key or "").removeprefix("Bearer ") in self.server.keys
            self.send_response(200 if admitted else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *arguments: object) -> None: ...


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def pod(api_server: Objects) -> Iterator[Pod]:
    api_server[f"{CORE}/pods/cars-1/portforward"] = {}
    with Pod(("127.0.0.1", 0), Pod.Handler) as server:
        server.sent = []
        api_server.ports[3000] = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def speak_tls(pod: Pod, pair: Pair, folder: Path) -> None:
    pair.write(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    pod.socket = context.wrap_socket(pod.socket, server_side=True)


def secret(**entries: str) -> dict[str, Any]:
    return {"data": {name: base64.b64encode(text.encode()).decode() for name, text in entries.items()}}


def mounting(*volumes: str) -> PodState:
    document = pod_document(**RUNNING)
    document["spec"]["volumes"] = [
        {"name": "scratch", "emptyDir": {}},
        *({"name": name, "secret": {"secretName": f"cars-{name}"}} for name in volumes),
    ]
    return read_pod(document)


def serve_services(api_server: Objects, **groups: str) -> None:
    api_server[f"{CORE}/services"] = {
        "items": [
            {"metadata": {"name": name}, "spec": {"selector": {"coachworks.dev/group": group}}}
            for name, group in groups.items()
        ]
        + [{"metadata": {"name": "cars-metrics"}, "spec": {"selector": {}}}]
    }


# what a pod asks for


def test_a_pod_without_secrets_is_open(cluster: Cluster) -> None:
    assert access_to(cluster, mounting()) == OPEN


def test_the_secrets_of_the_pod_and_the_names_of_its_services_are_read(cluster: Cluster, api_server: Objects) -> None:
    api_server[f"{CORE}/secrets/cars-api-keys"] = secret(partner=f"{KEY}\n", canary=OTHER)
    api_server[f"{CORE}/secrets/cars-certificate"] = secret(**{"tls.crt": "own", "ca.crt": "authority"})
    serve_services(api_server, view="shared", cars="shared", wheel="wheel")
    access = access_to(cluster, mounting("api-keys", "certificate"))
    assert access == PodAccess((OTHER, KEY), "authority", ("cars.models.svc", "view.models.svc"))
    assert KEY not in repr(access)
    api_server[f"{CORE}/secrets/cars-certificate"] = secret(**{"tls.crt": "own"})
    assert access_to(cluster, mounting("certificate")).authority == "own"


def test_a_secret_or_service_that_is_gone_is_named(cluster: Cluster, api_server: Objects) -> None:
    with pytest.raises(
        NotFoundError, match="the namespace models must hold the Secret cars-api-keys, which its pods have mounted"
    ):
        access_to(cluster, mounting("api-keys"))
    api_server[f"{CORE}/secrets/cars-certificate"] = secret(**{"tls.crt": "own"})
    serve_services(api_server, wheel="wheel")
    with pytest.raises(NotFoundError, match="pods of shared is verified by the names of their Services, and there are"):
        access_to(cluster, mounting("certificate"))


# keys


def test_a_key_that_the_pod_does_not_know_yet_gives_way_to_the_next_for_good(cluster: Cluster, pod: Pod) -> None:
    pod.keys = (KEY,)
    with PodClient(cluster, "cars-1", access=PodAccess(keys=(OTHER, KEY))) as client:
        assert client.request("POST", "/v1/predict", b"photo").body == b"photo"
        assert client.request("GET", "/metrics").status == 200
    assert pod.sent == [f"Bearer {OTHER}", f"Bearer {KEY}", f"Bearer {KEY}"]


def test_a_pod_that_knows_none_of_the_keys_answers_401(cluster: Cluster, pod: Pod) -> None:
    pod.keys = ("another",)
    with PodClient(cluster, "cars-1", access=PodAccess(keys=(OTHER, KEY))) as client:
        assert client.request("GET", "/metrics").status == 401


# certificates


def test_a_pod_with_tls_is_asked_and_a_large_photo_arrives_unchanged(
    cluster: Cluster, pod: Pod, authority: Authority, tmp_path: Path
) -> None:
    speak_tls(pod, authority.sign("cars.models.svc", "view.models.svc"), tmp_path)
    access = PodAccess((KEY,), authority.pem, ("cars.models.svc", "view.models.svc"))
    photo = bytes(range(256)) * 4000
    with PodClient(cluster, "cars-1", access=access) as client:
        client.verify_names()
        for _ in range(2):
            assert client.request("POST", "/v1/predict", photo).body == photo


def test_a_certificate_may_be_trusted_by_itself(
    cluster: Cluster, pod: Pod, authority: Authority, tmp_path: Path
) -> None:
    pair = authority.sign("cars.models.svc")
    speak_tls(pod, pair, tmp_path)
    with PodClient(cluster, "cars-1", access=PodAccess((), pair.certificate, ("cars.models.svc",))) as client:
        assert client.request("GET", "/metrics").status == 200


@pytest.mark.parametrize(
    ("names", "days", "reason"),
    [
        (("localhost", "cars-1"), 10, "Hostname mismatch, certificate is not valid for 'cars.models.svc'"),
        (("cars.models.svc",), -1, "certificate has expired"),
    ],
)
def test_a_certificate_that_is_not_valid_is_refused_before_a_key_is_sent(
    cluster: Cluster, pod: Pod, authority: Authority, tmp_path: Path, names: tuple[str, ...], days: float, reason: str
) -> None:
    speak_tls(pod, authority.sign(*names, days=days), tmp_path)
    with (
        PodClient(cluster, "cars-1", access=PodAccess((KEY,), authority.pem, ("cars.models.svc",))) as client,
        pytest.raises(
            InvalidConfigError, match=f"the certificate of the pod cars-1 must be valid for cars.models.svc: {reason}"
        ) as err,
    ):
        client.request("GET", "/metrics")
    assert err.match("with the names of all Services of the release, into the Secret of tls.existingSecret.$")
    assert pod.sent == []


def test_a_certificate_must_have_the_name_of_every_service(
    cluster: Cluster, pod: Pod, authority: Authority, tmp_path: Path
) -> None:
    speak_tls(pod, authority.sign("cars.models.svc"), tmp_path)
    access = PodAccess((), authority.pem, ("cars.models.svc", "view.models.svc"))
    with (
        PodClient(cluster, "cars-1", access=access) as client,
        pytest.raises(InvalidConfigError, match=r"must be valid for view\.models\.svc: Hostname mismatch"),
    ):
        client.verify_names()


def test_another_authority_is_not_trusted(cluster: Cluster, pod: Pod, authority: Authority, tmp_path: Path) -> None:
    speak_tls(pod, authority.sign("cars.models.svc"), tmp_path)
    access = PodAccess((), Authority("another").pem, ("cars.models.svc",))
    with (
        PodClient(cluster, "cars-1", access=access) as client,
        pytest.raises(InvalidConfigError, match=r"cars\.models\.svc: unable to get local issuer"),
    ):
        client.request("GET", "/metrics")


def test_a_pod_that_speaks_plain_http_is_not_asked_with_a_certificate(
    cluster: Cluster, pod: Pod, authority: Authority
) -> None:
    access = PodAccess((KEY,), authority.pem, ("cars.models.svc",))
    with PodClient(cluster, "cars-1", access=access, timeout_s=5) as client, pytest.raises(TransientError):
        client.request("GET", "/metrics")
    assert pod.sent == []
