"""The doctor on a real cluster: everything works, then one fault at a time, which a row names."""

import json
import uuid
from pathlib import Path

import pytest

from cluster_fleet import bucket_client, empty_bucket
from lab import PIPELINES, S3_KEY, S3_REGION, S3_SECRET, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]
FLEET = """\
apiVersion: coachworks.dev/v1
kind: Fleet
metadata: {{name: {name}}}
spec:
  store: s3://{name}/store
  tracking: {tracking}
  sources: [{{photos: s3://{name}/photos}}]
  skills: {{view: {{labels: [front, rear]}}}}
  cluster:
    image: {image}
    environment: [{{secret: {secret}, keys: [{keys}]}}]
    defaults: {{requests: {{cpu: 100m, memory: 512Mi}}}}
"""
KEYS = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"),
    *("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"),
)


def pods_of_doctors(lab, name):
    """Return the pods of the doctor's runs for this fleet; Kubernetes takes a moment to remove them."""
    pods = lab.get("-n", PIPELINES, "pods")["items"]
    return [pod for pod in pods if pod["metadata"]["name"].startswith("coachworks-doctor") and name in str(pod)]


@pytest.fixture(scope="module")
def name(lab):
    """Name of the fleet, its bucket and its Secrets; all of it is removed afterwards."""
    name = f"cw-doctor-{uuid.uuid4().hex[:6]}"
    bucket_client(lab).create_bucket(Bucket=name)
    yield name
    lab.kubectl("-n", PIPELINES, "delete", "secret", name, f"{name}-astray", "--ignore-not-found")
    empty_bucket(lab, name)


@pytest.fixture(scope="module")
def doctor(lab, name, platform, image, tmp_path_factory):
    """A function that runs the doctor with these variables for pods, and returns its rows and its exit status."""
    folder = tmp_path_factory.mktemp("doctor")
    steps, user = image("steps"), dict(zip(KEYS[-2:], platform.credentials, strict=True))

    def examine(secret, *arguments, keys=KEYS, **different):
        variables = {
            "AWS_ACCESS_KEY_ID": S3_KEY,
            "AWS_SECRET_ACCESS_KEY": S3_SECRET,
            "AWS_REGION": S3_REGION,
            "AWS_ENDPOINT_URL": f"http://minio-service.{PIPELINES}:9000",
            "MLFLOW_TRACKING_URI": platform.inside,
        }
        metadata = {"name": secret, "namespace": PIPELINES}
        lab.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": variables | user | different}
        )
        file: Path = folder / f"{uuid.uuid4().hex}.yaml"
        tracking, listed = platform.here, ", ".join(keys)
        file.write_text(FLEET.format(name=name, tracking=tracking, image=steps, secret=secret, keys=listed))
        done = lab.coachworks("doctor", "-f", file, "--json", *arguments, cwd=folder, environ=user)
        assert done.stdout, done.stderr
        for hidden in (S3_SECRET, platform.credentials[1]):
            assert hidden not in done.stdout + done.stderr
        return {row["subject"]: row for row in json.loads(done.stdout)["rows"]}, done.returncode

    return examine


def test_all_is_well_where_it_is_and_nothing_is_left(doctor, lab, name):
    rows, status = doctor(name)
    failures = {subject: row for subject, row in rows.items() if "failed" in str(row)}
    assert (failures, status) == ({}, 0)
    seen_by_pods = {subject for subject, row in rows.items() if row["pod"] and row["pod"]["status"] == "ok"}
    assert seen_by_pods >= {"store: publish once", "store: same for both", "MLflow: artifacts", "pod"}
    assert "Contents" not in bucket_client(lab).list_objects_v2(Bucket=name)
    until("the pods are gone", lambda: not pods_of_doctors(lab, name), within_s=60)


def test_a_server_that_only_pods_are_led_astray_from_is_told_of_pods(doctor, name):
    rows, status = doctor(f"{name}-astray", AWS_ENDPOINT_URL=f"http://minio-service.{PIPELINES}:9")
    assert status == 1
    assert (rows["store: access"]["local"]["status"], rows["store: access"]["pod"]["status"]) == ("ok", "failed")
    assert "AWS_ENDPOINT_URL" in rows["store: access"]["pod"]["way_out"]
    assert rows["MLflow: artifacts"]["pod"]["status"] == "ok"


def test_an_entry_that_the_secret_lacks_is_named_from_both_sides(doctor, name):
    rows, status = doctor(name, keys=(*KEYS, "AWS_CA_BUNDLE"))
    assert status == 1
    assert rows[f"Secret {name}"]["local"]["summary"] == "no AWS_CA_BUNDLE"
    assert f"Add AWS_CA_BUNDLE to the Secret '{name}'" in rows["pod"]["pod"]["way_out"]
