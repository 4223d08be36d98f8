"""Models that a store and MLflow hold, and a release of them that is kept in memory."""

import copy
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from registered import Registry

from coachworks.context import Context
from coachworks.digests import digest_bytes
from coachworks.fleet.model import Fleet
from coachworks.kubernetes_api import path_of
from coachworks.models.backbone import BackboneSpec
from coachworks.results import produce
from coachworks.store import Store
from components.deploy.cluster.namespace import Cluster, PodState
from components.deploy.cluster.state import GROUP, TRACK
from components.deploy.helm.client import Helm, Revision
from components.deploy.helm.manifests import parse_objects
from components.deploy.request import ReleaseContext
from kubernetes_server import Objects

CHART = Path(__file__).parents[2] / "charts" / "fleet"
BACKBONE = "b" * 64
_CONFIDENCE = 0.9
_RENDERED: dict[str, str] = {}


class MemoryHelm(Helm):
    """A release with its history in memory; helm renders the real chart."""

    def __init__(self, namespace: str = "serving", release: str = "showroom") -> None:
        super().__init__(namespace, release, CHART)
        self.made: list[tuple[dict[str, Any], str]] = []
        self.removed = False

    def history(self) -> list[Revision]:
        last = len(self.made)
        return [
            Revision(
                number=number,
                status="deployed" if number == last else "superseded",
                updated="2026-01-01T00:00:00Z",
                description=description,
            )
            for number, (_, description) in enumerate(self.made, 1)
        ]

    def status(self) -> Revision | None:
        return self.history()[-1] if self.made else None

    def values(self, revision: int | None = None) -> dict[str, Any]:
        return self.made[(revision or len(self.made)) - 1][0]

    def manifest(self, revision: int | None = None) -> str:
        return self.template(self.values(revision))

    def template(self, values: Any) -> str:
        key = json.dumps([self.namespace, self.release, values])
        if key not in _RENDERED:
            _RENDERED[key] = super().template(values)
        return _RENDERED[key]

    def upgrade(self, values: Any, description: str) -> int:
        self.made.append((dict(values), description))
        return len(self.made)

    def rollback(self, revision: int) -> int:
        return self.upgrade(self.values(revision), f"Rollback to {revision}")

    def uninstall(self) -> None:
        self.made.clear()
        self.removed = True

    def recover(self) -> str | None:
        return None


class ReadyHelm(MemoryHelm):
    """A release whose objects an API server has at once, with one ready pod for each Deployment.

    Like Helm, it leaves alone what others have changed in an object, unless the chart's part of it changes.
    """

    def __init__(self, server: Objects, namespace: str = "models", release: str = "showroom") -> None:
        super().__init__(namespace, release)
        self._server = server
        self._applied: dict[str, Any] = {}
        self._tell()

    def upgrade(self, values: Any, description: str) -> int:
        number = super().upgrade(values, description)
        self._tell()
        return number

    def uninstall(self) -> None:
        super().uninstall()
        self._tell()

    def path_of(self, document: dict[str, Any]) -> str:
        """Return the path of an object on the API server."""
        resource = document["kind"].lower() + "s"
        resource = {"networkpolicys": "networkpolicies"}.get(resource, resource)
        return path_of(document["apiVersion"], resource, self.namespace, document["metadata"]["name"])

    def owned(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return an object as Helm applies it."""
        owner = {"meta.helm.sh/release-name": self.release, "meta.helm.sh/release-namespace": self.namespace}
        metadata = document["metadata"]
        return {**document, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), **owner}}}

    def _tell(self) -> None:
        objects = parse_objects(self.manifest()).by_name if self.made else {}
        applied = {self.path_of(each): each for each in objects.values()}
        for path in self._applied.keys() - applied.keys():
            self._server.pop(path, None)
        for path, each in applied.items():
            if path not in self._server or self._applied.get(path) != each:
                owned = copy.deepcopy(self.owned(each))
                meta = {**owned["metadata"], "uid": path, "resourceVersion": uuid.uuid4().hex}
                self._server[path] = {**owned, "metadata": meta}
        self._applied = applied
        deployments = [each for (kind, _), each in objects.items() if kind == "Deployment"]
        services = [each for (kind, _), each in objects.items() if kind == "Service"]
        self._server[path_of("v1", "services", self.namespace)] = {"items": services}
        self._server[path_of("apps/v1", "deployments", self.namespace)] = {
            "items": [_ready(each) for each in deployments]
        }
        self._server[path_of("v1", "pods", self.namespace)] = {
            "items": [pod_of(each["metadata"]) for each in deployments]
        }


def _ready(deployment: dict[str, Any]) -> dict[str, Any]:
    desired = deployment["spec"].get("replicas", 1)
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), desired)
    return {**deployment, "status": {"observedGeneration": 1, **counts}}


def pod_of(metadata: dict[str, Any], *, restarts: int = 0, ready: bool = True) -> dict[str, Any]:
    """Return a pod of a Deployment with that metadata, as an API server returns it."""
    name, labels = metadata["name"], {key: metadata["labels"][key] for key in (GROUP, TRACK)}
    return {
        "metadata": {"name": f"{name}-1", "labels": labels, "ownerReferences": [{"kind": "ReplicaSet", "name": name}]},
        "spec": {"containers": [{"name": "serving"}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"name": "serving", "restartCount": restarts, "ready": ready, "state": {}}],
        },
    }


class LabelledCluster(Cluster):
    """A cluster that selects pods by their labels, as a real API server does."""

    def pods(self, group: str | None = None, track: str | None = None) -> list[PodState]:
        return [pod for pod in super().pods(group, track) if group in {None, pod.group} and track in {None, pod.track}]


def put_backbone(store: Store, digest: str = BACKBONE) -> None:
    """Put a backbone for the heads into the store."""
    spec = BackboneSpec(
        name="tiny",
        digest=digest,
        input_px=32,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        resampling="bilinear",
        fit="squash",
        dimensions=48,
        onnx_sha256=digest,
        preprocessing=1,
    )
    store.write(f"backbones/{digest}.json", json.dumps(spec.to_json()).encode())


def add_version(
    registry: Registry, store: Store, skill: str, *aliases: str, backbone: str = BACKBONE, **tags: str
) -> str:
    """Register a version whose head is in the store; return its number."""
    kept = registry.client.search_model_versions(f"name = '{registry.fleet.name}.{skill}'")
    digest = digest_bytes(f"{skill} {len(kept)}".encode())
    labels = registry.fleet.skill(skill).labels
    beside = {
        "backbone_digest": backbone,
        "labels": list(labels),
        "kind": "linear",
        "evaluate": _evaluated(store, skill, digest, list(labels)),
        "provenance": {"skill": skill},
        "created_at": f"2026-01-01T00:00:{len(kept):02}+00:00",
    }
    store.write(f"heads/{digest}.json", json.dumps(beside).encode())
    return registry.add(skill, digest, *aliases, **tags)


def _evaluated(store: Store, skill: str, digest: str, labels: list[str]) -> str:
    """Publish an evaluation of the head and its upstream, with the first label for every photo; return its key."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    photo = b"a photo"
    photo_id = digest_bytes(photo)
    uri = f"photos/{photo_id}.jpg"
    store.write(uri, photo)
    rest = (1 - _CONFIDENCE) / (len(labels) - 1)
    answer = {
        "photo_id": [photo_id],
        "predicted": [labels[0]],
        "confidence": [_CONFIDENCE],
        "probabilities": [[_CONFIDENCE, *[rest] * (len(labels) - 1)]],
    }

    def catalogue(folder: Path) -> dict[str, Any]:
        pq.write_table(pa.table({"photo_id": [photo_id], "uri": [uri]}), folder / "catalogue.parquet")
        return {}

    def predictions(folder: Path) -> dict[str, Any]:
        (folder / skill).mkdir()
        pq.write_table(pa.table(answer), folder / skill / "predictions.parquet")
        return {"skills": {skill: {"head_digest": digest}}}

    key, before = produce("ingest", {}, catalogue, context=Context(store), code="test").key, "ingest"
    for step in ("split", "validate", "augment", "embed", "train"):
        key = produce(step, {before: key}, lambda _: {}, context=Context(store), code="test").key
        before = step
    return produce("evaluate", {"train": key, "head": digest}, predictions, context=Context(store), code="test").key


class Answers:
    """Answers of pods; a test may change them.

    Attributes:
        skills: Label and version by skill.
        errors: How many of the requests that they count failed.
        silent: Whether they hang up.
    """

    def __init__(self, **skills: tuple[str, str]) -> None:
        self.skills = skills
        self.errors = 0
        self.silent = False
        self._asked = 0

    def reply(self, path: str) -> str:
        """Return the body of the answer to a request for `path`."""
        where = urlsplit(path)
        if where.path == "/metrics":
            return _METRICS.format(good=self._asked, bad=self.errors, all=self._asked + self.errors)
        if where.path == "/v1/skills":
            return json.dumps({"skills": {name: {"model_version": answer[1]} for name, answer in self.skills.items()}})
        self._asked += 1
        asked = parse_qs(where.query).get("skills", [",".join(self.skills)])[0].split(",")
        return json.dumps({"answers": {name: _card(*self.skills[name]) for name in asked}})


_METRICS = """\
# TYPE coachworks_requests_total counter
coachworks_requests_total{{path="/v1/predict",method="POST",status="200",skill=""}} {good}
coachworks_requests_total{{path="/v1/predict",method="POST",status="500",skill=""}} {bad}
# TYPE coachworks_request_seconds histogram
coachworks_request_seconds_bucket{{path="/v1/predict",skill="",le="0.1"}} {all}
coachworks_request_seconds_bucket{{path="/v1/predict",skill="",le="+Inf"}} {all}
"""


def _card(label: str, version: str) -> dict[str, Any]:
    return {"label": label, "probability": _CONFIDENCE, "model_version": version}


@contextmanager
def answering(server: Objects, answers: Answers, heard: Callable[[str], None] = lambda path: None) -> Iterator[None]:
    """Let every pod of an API server answer so; `heard` receives the path of each request."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or a body waits 40 ms for the receipt of its headers

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            heard(self.path)
            if answers.silent:
                self.close_connection = True
                return
            body = answers.reply(self.path).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *args: Any) -> None:
            """Keep the log empty."""

    pods = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pods.daemon_threads = True
    thread = Thread(target=pods.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    server.ports[3000] = pods.server_address[1]
    try:
        yield
    finally:
        pods.shutdown()
        pods.server_close()
        thread.join()


@dataclass
class Showroom:
    """A fleet's registered models, and a cluster to release them to.

    Attributes:
        registry: Its models in MLflow.
        store: Its store.
        server: The cluster's API server.
        cluster: A namespace of it.
        helm: The release.
    """

    registry: Registry
    store: Store
    server: Objects
    cluster: Cluster
    helm: ReadyHelm

    def add(self, skill: str, *aliases: str, **options: Any) -> str:
        """Register a version whose head is in the store; return its number."""
        return add_version(self.registry, self.store, skill, *aliases, **options)

    def context(self, fleet: Fleet | None = None) -> ReleaseContext:
        """Return the fleet and its release."""
        return ReleaseContext(
            fleet=fleet or self.registry.fleet,
            store=self.store,
            helm=self.helm,
            cluster=self.cluster,
        )
