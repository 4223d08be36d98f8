"""A fleet for a cluster, and an API server that knows what a test tells it."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from coachworks.fleet.model import Fleet

Objects = dict[str, Any]


@pytest.fixture
def cluster_fleet() -> Callable[..., Fleet]:
    """A fleet for a cluster, with these settings of `spec.cluster`."""

    def make(**cluster: Any) -> Fleet:
        return Fleet.model_validate(
            {
                "apiVersion": "coachworks.dev/v1",
                "kind": "Fleet",
                "metadata": {"name": "cars"},
                "spec": {
                    "store": "s3://cars/store",
                    "tracking": "https://mlflow.example",
                    "sources": [{"photos": "s3://cars/photos"}],
                    "skills": {"view": {"labels": ["front", "rear"]}},
                    "cluster": cluster,
                },
            }
        )

    return make


@pytest.fixture
def api_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Objects]:
    """A Kubernetes API server that KUBECONFIG names: path -> object, or the status that it refuses with."""
    objects: Objects = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = objects.get(self.path.partition("?")[0], 404)
            body = json.dumps({} if isinstance(found, int) else found).encode()
            self.send_response(found if isinstance(found, int) else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    config: Mapping[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{server.server_address[1]}"}}],
        "users": [{"name": "test", "user": {"token": "t"}}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    from kubernetes.config import kube_config

    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    yield objects
    server.shutdown()
    server.server_close()
    thread.join()
