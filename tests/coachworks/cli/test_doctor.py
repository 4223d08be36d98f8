"""The command `doctor`: a table or a JSON document, and an exit status."""

import json
from types import SimpleNamespace

import pytest

from coachworks.cli.main import main

FLEET = """\
apiVersion: coachworks.dev/v1
kind: Fleet
metadata: {name: cars}
spec:
  store: STORE
  tracking: http://127.0.0.1:9
  sources: [{photos: "s3://cars/photos"}]
  skills: {view: {labels: [front, rear]}}
"""
UNREACHABLE = {
    "KF_PIPELINES_ENDPOINT": "http://127.0.0.1:9",
    "KUBECONFIG": "/nonexistent",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
    "AWS_REGION": "eu-west-1",
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
}


@pytest.fixture
def doctor(tmp_path, monkeypatch, capsys):
    def call(*arguments, store="s3://cars/store"):
        (tmp_path / "fleet.yaml").write_text(FLEET.replace("STORE", store))
        monkeypatch.chdir(tmp_path)
        for name, value in UNREACHABLE.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main(["doctor", *arguments])
        output = capsys.readouterr()
        return SimpleNamespace(returncode=ended.value.code, stdout=output.out, stderr=output.err)

    return call


def test_every_server_that_does_not_answer_has_its_way_out(doctor):
    done = doctor("--json")
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    rows = {row["subject"]: row for row in document["rows"]}
    assert document["ok"] is False
    assert "KF_PIPELINES_ENDPOINT" in rows["Kubeflow Pipelines"]["local"]["way_out"]
    assert "AWS_ENDPOINT_URL" in rows["store: access"]["local"]["way_out"]
    assert "spec.tracking" in rows["MLflow: access"]["local"]["way_out"]
    assert rows["namespace"]["local"]["summary"] == "no kubeconfig"
    assert rows["pod"]["pod"]["summary"] == "needs Kubeflow Pipelines"
    assert "wJalrXUtnFEMI" not in done.stdout + done.stderr


def test_a_folder_as_store_is_reported_with_the_other_checks(doctor):
    done = doctor("--no-pod", store="./store")
    assert done.returncode == 1, done.stderr
    assert "fleet file" in done.stdout
    assert "must be s3://bucket/prefix for a cluster" in done.stdout
    assert "--no-pod" in done.stdout


def test_an_invalid_fleet_file_ends_the_command(doctor):
    done = doctor(store="ftp://cars")
    assert done.returncode == 2
    assert "fleet.yaml:5" in done.stderr
