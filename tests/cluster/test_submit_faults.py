"""Submitted runs whose pods do not start, or end before they can record an error: the command names the cause."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from cluster_fleet import SHARED_TRACKING, bucket_client, empty_bucket, forget_pipeline
from lab import PIPELINES, S3_KEY, S3_REGION, S3_SECRET, Lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
FLEET = """\
apiVersion: coachworks.dev/v1
kind: Fleet
metadata: {{name: {name}}}
spec:
  store: s3://{name}/store
  tracking: {tracking}
  sources: [{{photos: s3://{name}/photos, skill: view}}]
  skills: {{view: {{labels: [front, rear]}}}}
  cluster:
    image: {image}
    environment: [{{secret: {secret}, keys: [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL]}}]
    defaults: {{requests: {{cpu: {cpu}, memory: 256Mi}}}}
"""
Coachworks = Callable[..., "CompletedProcess[str]"]


@pytest.fixture(scope="module")
def name(lab: Lab) -> Iterator[str]:
    """Name of the fleet, its bucket and a Secret with a wrong key; all of it is removed afterwards."""
    name = f"cw-faults-{uuid.uuid4().hex[:6]}"
    bucket_client(lab).create_bucket(Bucket=name)
    variables = {
        "AWS_ACCESS_KEY_ID": S3_KEY,
        "AWS_SECRET_ACCESS_KEY": f"{S3_SECRET}-wrong",
        "AWS_REGION": S3_REGION,
        "AWS_ENDPOINT_URL": lab.s3,
    }
    metadata = {"name": name, "namespace": PIPELINES}
    lab.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": variables})
    yield name
    lab.kubectl("-n", PIPELINES, "delete", "secret", name)
    forget_pipeline(lab, name)
    empty_bucket(lab, name)


@pytest.fixture
def coachworks(lab: Lab, name: str, image: Callable[[str], str], tmp_path: Path) -> Coachworks:
    """A function that calls a command for a fleet whose pods have these settings."""

    def call(command: str, *arguments: str, **settings: str) -> "CompletedProcess[str]":
        values = {"name": name, "tracking": SHARED_TRACKING, "secret": name, "cpu": "100m"} | settings
        text = FLEET.format(**values, image=settings.get("steps") or image("steps"))
        (tmp_path / "fleet.yaml").write_text(text)
        done: CompletedProcess[str] = lab.coachworks(command, *arguments, cwd=tmp_path)
        return done

    return call


@pytest.mark.parametrize(
    ("settings", "reason", "way_out"),
    [
        (
            {"steps": "registry.invalid/steps:1"},
            "ImagePull",
            "Push registry.invalid/steps:1 where the nodes can pull it",
        ),
        (
            {"secret": "cw-nothing-here"},
            "CreateContainerConfigError",
            "Create the Secret 'cw-nothing-here' in the namespace",
        ),
        ({"cpu": '"500"'}, "Unschedulable", "lower `requests`"),
    ],
    ids=["image", "secret", "node"],
)
def test_a_pod_that_does_not_start_ends_the_command_with_its_name_the_reason_and_the_way_out(
    coachworks: Coachworks, settings: dict[str, str], reason: str, way_out: str
) -> None:
    waited = coachworks("submit", "--wait", "--pod-timeout", "4", "--json", **settings)
    assert waited.returncode == 4, waited.stderr
    (error,) = json.loads(waited.stdout)["errors"]
    assert (error["step"], error["type"]) == ("ingest", "PodStuck")
    assert "-impl-" in error["message"]
    assert reason in error["message"]
    assert way_out in error["message"]
    assert "… ingest" in waited.stderr
    run = json.loads(waited.stdout)["run"]
    assert reason in coachworks("status", "--run", run, **settings).stderr + coachworks("status", **settings).stdout
    listed = json.loads(coachworks("runs", "--json", **settings).stdout)["runs"]
    assert reason in next(each["problem"] for each in listed if each["id"] == run)
    assert coachworks("cancel", run, **settings).returncode == 0


def test_a_wrong_key_in_the_pods_secret_is_shown_in_the_words_of_the_pod_s_log(coachworks: Coachworks) -> None:
    failed = coachworks("submit", "--wait", "--json")
    assert failed.returncode == 1, failed.stderr
    table = json.loads(failed.stdout)
    (error,) = table["errors"]
    assert error["step"] == "ingest"
    assert "exit code" not in error["message"]
    assert "the secret does not belong to the access key" in error["message"], error
    assert "Pods have these variables from the Secrets" in error["message"]
    assert json.loads(coachworks("status", "--json").stdout)["errors"] == table["errors"]
    assert "`coachworks submit` continues" in table["skills"][0]["next"]
