"""HTTP requests to one pod through the API server."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from coachworks.errors import InvalidConfigError, NotFoundError, TransientError
from components.deploy.cluster.namespace import Cluster
from components.deploy.cluster.pod_http import PodClient, Response

PATH = "/api/v1/namespaces/models/pods/cars-1/portforward"


class Pod:
    """Behaviour of a pod's HTTP server, for a test to change."""

    def __init__(self) -> None:
        self.connections = 0
        self.delay_s = 0.0
        self.drain = self.hang_up = False


def request(cluster: Cluster, method: str, path: str, *content: Any, **options: Any) -> Response:
    with PodClient(cluster, "cars-1", **options) as client:
        return client.request(method, path, *content)


@pytest.fixture
def pod(api_server) -> Iterator[Pod]:
    state = Pod()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            state.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            time.sleep(state.delay_s)
            answer = f"{self.command} {self.path} {self.headers.get('Content-Type')} {len(body)}".encode()
            self.send_response(422 if "bad" in self.path else 200)
            self.send_header("X-Request-Id", "7")
            self.send_header("Content-Length", str(len(answer) + (len(body) if "echo" in self.path else 0)))
            if state.drain:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer + (body if "echo" in self.path else b""))
            self.close_connection = state.drain or state.hang_up

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *args) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    api_server.ports[3000] = server.server_address[1]
    api_server[PATH] = {}
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_request_gets_its_response(cluster, pod):
    reply = request(cluster, "POST", "/v1/predict", b"a photo", {"Content-Type": "image/jpeg"})
    assert (reply.status, reply.body) == (200, b"POST /v1/predict image/jpeg 7")
    assert reply.headers["x-request-id"] == "7"
    assert 0 < reply.seconds < 5


def test_an_error_status_is_a_response(cluster, pod):
    assert request(cluster, "POST", "/bad", b"").status == 422


def test_requests_share_a_connection(cluster, pod):
    with PodClient(cluster, "cars-1") as client:
        assert [client.request("GET", f"/{number}").status for number in range(5)] == [200] * 5
    assert pod.connections == 1


def test_a_large_photo_arrives_unchanged(cluster, pod):
    photo = bytes(range(256)) * 4096 * 2  # 2 MiB: many frames
    with PodClient(cluster, "cars-1") as client:
        reply = client.request("POST", "/echo", photo)
    assert reply.body.endswith(photo)


def test_a_connection_that_a_draining_pod_closed_is_opened_again(cluster, pod):
    pod.drain = True
    with PodClient(cluster, "cars-1") as client:
        replies = [client.request("GET", "/") for _ in range(3)]
    assert [reply.headers["connection"] for reply in replies] == ["close"] * 3
    assert all(reply.body for reply in replies)
    assert pod.connections == 3


def test_a_request_is_repeated_if_the_pod_closed_an_idle_connection(cluster, pod):
    pod.hang_up = True
    with PodClient(cluster, "cars-1") as client:
        assert [client.request("GET", "/").status for _ in range(3)] == [200] * 3


def test_a_pod_that_does_not_answer_is_waited_for_until_the_timeout(cluster, pod):
    pod.delay_s = 3
    started = time.monotonic()
    with pytest.raises(TransientError, match=r"the pod cars-1 does not answer on port 3000 in 1 s\."):
        request(cluster, "GET", "/", timeout_s=1)
    assert time.monotonic() - started < 2.5


def test_a_port_without_a_listener_is_refused(cluster, api_server, pod):
    api_server.ports.clear()
    with pytest.raises(TransientError, match=r"the pod cars-1 does not answer on port 3000 \(connection refused\)"):
        request(cluster, "GET", "/")


def test_a_removed_pod_is_not_found(cluster, api_server):
    api_server[PATH] = (404, 'pods "cars-1" not found')
    with pytest.raises(NotFoundError, match='pods "cars-1" not found'):
        request(cluster, "GET", "/")


def test_a_missing_right_is_named(cluster, api_server):
    refusal = 'pods "cars-1" is forbidden: User "ann" cannot get resource "pods/portforward" in API group "" in the '
    api_server[PATH] = (403, f'{refusal}namespace "models"')
    with pytest.raises(InvalidConfigError, match="does not let ann get pods/portforward in the namespace 'models'"):
        request(cluster, "GET", "/")


def test_an_api_server_that_is_down_is_a_transient_error(cluster, api_server):
    api_server.down = True
    with pytest.raises(TransientError, match=r"the cluster 'test' at http://127.0.0.1:[0-9]+ does not answer"):
        request(cluster, "GET", "/")
