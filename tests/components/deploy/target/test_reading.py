"""Requests of one decision about a fleet: to the registry, over HTTP, and to the store."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from released import put_backbone

from coachworks.digests import digest_bytes
from coachworks.fleet.model import Fleet
from coachworks.store import FolderStore
from coachworks.tracking import open_client, tracking_of
from components.deploy.target.resolve import ResolvedVersions, resolve_versions
from deploy_values import fleet

BACKBONE = "b" * 64


class CountingStore(FolderStore):
    """A store that counts the reads of each key."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads: Counter[str] = Counter()

    def read(self, key: str) -> bytes:
        self.reads[key] += 1
        return super().read(key)


@contextmanager
def registry_of(skills: list[str]) -> Iterator[tuple[str, list[str]]]:
    """An MLflow server with two versions of each skill, the second champion; its address and the paths it is asked."""
    asked: list[str] = []
    models = [{"name": f"showroom.{skill}", "aliases": [{"alias": "champion", "version": "2"}]} for skill in skills]
    versions = [
        {
            "name": f"showroom.{skill}",
            "version": number,
            "tags": [{"key": "head_digest", "value": digest_bytes(f"{skill} {number}".encode())}],
        }
        for skill in skills
        for number in ("1", "2")
    ]
    replies = {
        "/api/2.0/mlflow/registered-models/search": {"registered_models": models},
        "/api/2.0/mlflow/model-versions/search": {"model_versions": versions},
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            asked.append(path)
            body = json.dumps(replies.get(path, {"error_code": "RESOURCE_DOES_NOT_EXIST"})).encode()
            self.send_response(200 if path in replies else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Write no log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def put_heads(store: FolderStore, skills: list[str]) -> None:
    put_backbone(store, BACKBONE)
    for skill in skills:
        for number in ("1", "2"):
            digest = digest_bytes(f"{skill} {number}".encode())
            manifest = {
                "backbone_digest": BACKBONE,
                "labels": ["a", "b"],
                "kind": "linear",
                "created_at": f"2026-01-01T00:00:0{number}+00:00",
            }
            store.write(f"heads/{digest}.json", json.dumps(manifest).encode())


def decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> tuple[ResolvedVersions, list[str], Any]:
    """Resolve the champions of `number` skills; the result, the requests to the registry and the reads of the store."""
    skills = [f"skill-{each}" for each in range(number)]
    store = CountingStore(tmp_path / str(number))
    put_heads(store, skills)
    configured: Fleet = fleet(store=str(store.root), skills={skill: {} for skill in skills})
    with registry_of(skills) as (address, asked):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        tracking = tracking_of(configured)
        client = open_client(tracking)
        asked.clear()
        result = resolve_versions(configured, store, client, tracking)
    return result, asked, store.reads


def test_the_registry_is_read_by_two_searches_however_many_skills_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = {number: decide(tmp_path, monkeypatch, number)[1] for number in (2, 35)}
    assert requests[2] == requests[35]
    assert Counter(requests[35]) == {
        "/api/2.0/mlflow/registered-models/search": 1,
        "/api/2.0/mlflow/model-versions/search": 1,
    }


def test_the_manifest_of_each_champion_s_head_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, _, reads = decide(tmp_path, monkeypatch, 35)
    assert result.manifest is not None
    assert len(result.manifest.skills) == 35
    assert {head.version for head in result.manifest.skills.values()} == {"2"}
    heads = {f"heads/{head.head_sha256}.json": 1 for head in result.manifest.skills.values()}
    assert dict(reads) == {**heads, f"backbones/{BACKBONE}.json": 1}
