"""Register against a real tracking server: the same promises as embedded."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from coachworks.tracking import open_client, server_environment, tracking_of
from components.register.step import register

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def remote(fleet, tmp_path):
    """The fleet, recording to a server that serves artifacts, too."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{tmp_path}/server.db"]
    command += ["--artifacts-destination", str(tmp_path / "artifacts"), "--workers", "1"]
    command += ["--port", address.rpartition(":")[2]]
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=server_environment())
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                break
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    yield fleet.model_copy(update={"spec": fleet.spec.model_copy(update={"tracking": address})})
    server.terminate()
    server.wait(30)


def test_a_server_is_kept_as_well_as_an_embedded_store(chain, remote, store):
    first = chain.evaluation(noise=0.62)
    report = register(remote, first).report
    assert report["tracking"] == tracking_of(remote).uri
    assert {found["status"] for found in report["skills"].values()} == {"champion"}
    assert register(remote, first).reused
    second = register(remote, chain.evaluation(seed=5)).report["skills"]["view"]
    assert (second["status"], second["champion_version"]) == ("champion", "2")
    client = open_client(tracking_of(remote))
    version = client.get_model_version_by_alias("showroom.view", "champion")
    assert version.tags["head_digest"] == second["head_digest"]
    paths = [entry.path for entry in client.list_artifacts(version.run_id, "model")]
    assert "model/head.safetensors" in paths
    assert len(client.search_model_versions("name = 'showroom.view'")) == 2
    assert not (store.root / "mlflow").exists()
