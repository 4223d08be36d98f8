"""`coachworks mlflow`: a real server on a fleet's tracking store."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from mlflow_process import mlflow_server

from coachworks.cli.mlflow import mlflow, show_pages
from coachworks.fleet.reader import read_fleet

FLEET = """\
apiVersion: coachworks.dev/v1
kind: Fleet
metadata: {name: showroom}
spec:
  tracking: %s
  sources: [{photos: ./photos, skill: view}]
  skills:
    view: {labels: [front, rear]}
"""


@pytest.fixture
def fleet_file(tmp_path: Path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "photos").mkdir()

    def write(tracking: str = "null") -> str:
        file = tmp_path / "fleet.yaml"
        file.write_text(FLEET % tracking)
        return str(file)

    return write


def test_for_a_fleet_that_records_to_a_server_the_address_is_printed_and_nothing_started(fleet_file):
    result = CliRunner().invoke(mlflow, ["-f", fleet_file("https://mlflow.example")])
    assert result.exit_code == 0
    assert result.output == "The fleet 'showroom' records to https://mlflow.example: open that address in a browser.\n"


def test_an_address_of_the_own_machine_comes_with_the_port_forward_that_it_needs(fleet_file):
    result = CliRunner().invoke(mlflow, ["-f", fleet_file("http://127.0.0.1:5000")])
    assert "records to http://127.0.0.1:5000" in result.output
    assert "`kubectl -n NAMESPACE port-forward service/platform-mlflow 5000:5000`" in result.output


def test_the_printed_address_is_that_for_people_not_that_for_machines(fleet_file, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.platform.svc:5000")
    result = CliRunner().invoke(mlflow, ["-f", fleet_file("https://mlflow.example")])
    assert "https://mlflow.example" in result.output
    assert "svc" not in result.output


def test_an_address_that_is_not_of_this_machine_is_refused(fleet_file):
    result = CliRunner().invoke(mlflow, ["-f", fleet_file(), "--host", "no.such.host.invalid"])
    assert "host must be an address of this machine; got 'no.such.host.invalid'" in str(result.exception)


@pytest.mark.slow
def test_a_skill_without_a_model_has_the_reason_in_place_of_a_page(fleet_file, capsys, tmp_path):
    fleet = read_fleet(Path(fleet_file()))
    (tmp_path / "server").mkdir()
    with mlflow_server(tmp_path / "server") as address:
        client = MlflowClient(address, address)
        client.create_experiment("showroom/view")
        show_pages(fleet, address)
        assert "view  no model yet. Run the pipeline: `coachworks run`." in capsys.readouterr().out
        client.create_registered_model("showroom.view")
        show_pages(fleet, address)
        assert f"view  {address}/#/models/showroom.view" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_pages_answer_beside_a_taken_port_and_ctrl_c_leaves_nothing_behind(fleet_file, end):
    file = fleet_file()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "coachworks.cli.main", "mlflow", "-f", file, "--port", str(port)]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        address = re.search(r"http://\S+", process.stdout.readline()).group()
    assert address != f"http://127.0.0.1:{port}"
    request = urllib.request.Request(
        f"{address}/api/2.0/mlflow/experiments/search",
        data=json.dumps({"max_results": 5}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        assert "experiments" in json.load(response)
    process.send_signal(end)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert f"Port {port} is taken" in errors
    assert "Traceback" not in errors
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{address}/health", timeout=5)
