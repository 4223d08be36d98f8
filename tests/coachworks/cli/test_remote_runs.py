"""`status`, `submit --wait` and `runs` about a run on a cluster: servers that speak KFP's and Kubernetes' protocols."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from coachworks.fleet.reader import read_fleet
from coachworks.runs import load_run, read_errors, record_remote
from coachworks.store import FolderStore
from kubernetes_server import Objects, kubernetes_server

RUN = "5f0c"
PODS = "/api/v1/namespaces/kubeflow/pods"
WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/kubeflow/workflows"
IMAGE, LAUNCHER = "registry.example/steps:1", "ghcr.io/kubeflow/kfp-launcher:2.14.3"
FLEET = f"""\
apiVersion: coachworks.dev/v1
kind: Fleet
metadata: {{name: cars}}
spec:
  sources: [{{photos: ./photos, skill: view}}]
  skills: {{view: {{labels: [front, rear]}}}}
  cluster: {{image: "{IMAGE}"}}
"""
LOG = """\
time="2026-01-02T03:04:05Z" level=info msg="capturing logs"
Traceback (most recent call last):
  File "/app/coachworks/s3/errors.py", line 1, in translated
botocore.exceptions.ClientError: An error occurred (SignatureDoesNotMatch)

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/coachworks/task.py", line 52, in run_task
coachworks.errors.InvalidConfigError: s3://cars refuses the key 'AKIA1' (403). Correct AWS_SECRET_ACCESS_KEY.
I0102 03:04:05.000000       1 launcher_v2.go:151] publish success.
F0102 03:04:05.000000       1 main.go:54] failed to execute component: exit status 1
time="2026-01-02T03:04:06Z" level=info msg="sub-process exited" argo=true error="<nil>"
Error: exit status 1
"""


class Remote:
    """A fleet's folder with a submitted run, and the servers of Kubeflow Pipelines and Kubernetes."""

    def __init__(self, folder: Path, kfp: Objects, api: Objects) -> None:
        (folder / "fleet.yaml").write_text(FLEET)
        self.folder, self.kfp, self.api = folder, kfp, api
        fleet = read_fleet(folder / "fleet.yaml")
        self.store = FolderStore(Path(fleet.spec.store))
        record_remote(self.store, RUN, fleet.to_json(), [["view"]])
        kfp["/apis/v2beta1/healthz"] = {}
        experiment = {"experiment_id": "e1", "display_name": "cars"}
        kfp["/apis/v2beta1/experiments"] = {"experiments": [experiment]}
        kfp["/apis/v2beta1/recurringruns"] = {}
        api["/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"] = {"status": {"allowed": True}}
        api[PODS], api[WORKFLOWS] = {"items": []}, {"items": []}
        self.be("RUNNING", self.task("ingest", "PENDING"))

    def be(self, state: str, *tasks: dict[str, Any]) -> None:
        """Let Kubeflow Pipelines report a state of the run and its tasks."""
        run = {"run_id": RUN, "display_name": "cars", "state": state, "created_at": "2026-01-02T03:04:05Z"}
        self.kfp[f"/apis/v2beta1/runs/{RUN}"] = {**run, "run_details": {"task_details": list(tasks)}}
        self.kfp["/apis/v2beta1/runs"] = {"runs": [run]}

    @staticmethod
    def task(name: str, state: str, error: str = "", node: str = "") -> dict[str, Any]:
        task = {"task_id": name, "display_name": name, "state": state, "start_time": "2026-01-02T03:04:05Z"}
        children = {"child_tasks": [{"pod_name": node}]} if node else {}
        return task | children | ({"error": {"message": error}} if error else {})

    def pend(self, *, age_s: float, image: str = IMAGE, step: str = "ingest", **status: Any) -> None:
        """Let Kubernetes have a pod that is pending."""
        created = f"{datetime.now(UTC) - timedelta(seconds=age_s):%Y-%m-%dT%H:%M:%SZ}"
        metadata = {"name": "cars-1", "creationTimestamp": created}
        metadata |= {"labels": {"coachworks.dev/step": step}} if step else {}
        spec = {"containers": [{"name": "main", "image": image}]}
        self.api[PODS] = {"items": [{"metadata": metadata, "spec": spec, "status": {"phase": "Pending", **status}}]}

    def call(self, command: str, *arguments: str) -> Result:
        from coachworks.cli.main import cli

        return CliRunner().invoke(cli, [command, "-f", str(self.folder / "fleet.yaml"), *arguments])


def waiting(reason: str, message: str) -> list[dict[str, Any]]:
    return [{"name": "main", "state": {"waiting": {"reason": reason, "message": message}}, "restartCount": 0}]


NO_NODE = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: cpu"}]


@pytest.fixture
def remote(tmp_path: Path, api_server: Objects, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    with kubernetes_server() as kfp:
        monkeypatch.setenv("KF_PIPELINES_ENDPOINT", kfp.address)
        yield Remote(tmp_path, kfp, api_server)


Pend = Callable[[Remote], None]
CASES: list[tuple[Pend, list[str]]] = [
    (
        lambda remote: remote.pend(
            age_s=130, containerStatuses=waiting("ImagePullBackOff", f'Back-off pulling "{IMAGE}"')
        ),
        ["the pod cars-1 has not started for 2 min: ImagePullBackOff: Back-off", f"Push {IMAGE} where the nodes"],
    ),
    (
        lambda remote: remote.pend(
            age_s=130, containerStatuses=waiting("CreateContainerConfigError", 'secret "cars" not found')
        ),
        ['CreateContainerConfigError: secret "cars" not found', "Create the Secret 'cars' in the namespace 'kubeflow'"],
    ),
    (
        lambda remote: remote.pend(
            age_s=130, image=f"{IMAGE}-old", containerStatuses=waiting("ImagePullBackOff", "no such host")
        ),
        [f"submitted with {IMAGE}-old, and the fleet file names {IMAGE}: cancel the run and submit another one"],
    ),
    (
        lambda remote: remote.pend(
            age_s=130, image=LAUNCHER, step="", containerStatuses=waiting("ImagePullBackOff", "no such host")
        ),
        [f"{LAUNCHER} is an image of Kubeflow Pipelines itself"],
    ),
    (
        lambda remote: remote.pend(age_s=610, conditions=NO_NODE),
        ["the pod cars-1 has not started for 10 min: Unschedulable: 0/1 nodes: cpu.", "lower `requests`"],
    ),
    (
        lambda remote: remote.api.update(
            {
                WORKFLOWS: {
                    "items": [
                        {
                            "status": {
                                "nodes": {
                                    "n": {
                                        "type": "Pod",
                                        "phase": "Pending",
                                        "startedAt": "2026-01-02T03:04:05Z",
                                        "message": 'pods "cars-7" is forbidden: exceeded quota: small',
                                    }
                                }
                            }
                        }
                    ]
                }
            }
        ),
        ["the pod cars-7 has not been created for", "exceeded quota: small.", "kubectl -n kubeflow describe quota"],
    ),
]


@pytest.mark.parametrize(("pend", "expected"), CASES, ids=["image", "secret", "old image", "driver", "node", "quota"])
def test_a_pod_that_does_not_start_ends_the_wait_with_its_reason_and_the_way_out(
    remote: Remote, pend: Pend, expected: list[str]
) -> None:
    pend(remote)
    done = remote.call("status", "--wait", "--pod-timeout", "0")
    assert done.exit_code == 4, done.output
    for text in expected:
        assert text in done.output
    assert f"coachworks status --wait --run {RUN}` follows it again" in done.output
    assert f"coachworks cancel {RUN}" in done.output
    assert load_run(remote.store, RUN).state == "running"


def test_the_limit_is_an_option_and_a_pod_within_it_is_waited_for(remote: Remote) -> None:
    remote.pend(age_s=30, conditions=NO_NODE)
    from pipelines.kubeflow import open_kubeflow
    from pipelines.remote_progress import RunMonitor

    fleet = read_fleet(remote.folder / "fleet.yaml")
    monitor = RunMonitor(open_kubeflow(fleet.spec.cluster), remote.store, RUN, fleet.spec.cluster, pod_limit_s=0.5)
    assert monitor.running()
    assert monitor.states()[0]["notes"] == ["Unschedulable: 0/1 nodes: cpu"]
    time.sleep(0.5)
    assert not monitor.running()
    assert monitor.gave_up


def test_failed_attempts_to_pull_an_image_and_the_time_between_them_are_one_note(remote: Remote) -> None:
    from pipelines.kubeflow import open_kubeflow
    from pipelines.remote_progress import RunMonitor

    monitor = RunMonitor(open_kubeflow(read_fleet(remote.folder / "fleet.yaml").spec.cluster), remote.store, RUN)
    notes = []
    for reason in ("ErrImagePull", "ImagePullBackOff", "ErrImagePull"):
        remote.pend(age_s=5, containerStatuses=waiting(reason, "no such host"))
        monitor.running()
        notes += monitor.states()[0]["notes"]
    assert notes == ["ErrImagePull: no such host"] * 3


def test_a_driver_that_does_not_start_is_shown_although_no_step_has_begun(remote: Remote) -> None:
    remote.be("RUNNING")
    remote.pend(age_s=5, image=LAUNCHER, step="", conditions=NO_NODE)
    assert "pipeline     Unschedulable: 0/1 nodes: cpu" in remote.call("status", "--wait", "--pod-timeout", "0").output


def test_without_the_right_to_see_pods_a_step_that_waits_too_long_ends_the_wait(remote: Remote) -> None:
    remote.api["/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"] = {"status": {"allowed": False}}
    done = remote.call("status", "--wait", "--pod-timeout", "0")
    assert done.exit_code == 4
    assert "without the right to list pods its state is unknown. Set KUBECONFIG" in done.output


def test_status_and_runs_name_the_pod_too(remote: Remote) -> None:
    remote.pend(age_s=5, containerStatuses=waiting("ImagePullBackOff", "no such host"))
    shown = remote.call("status")
    assert "ingest waits: the pod cars-1 has not started" in shown.output
    assert "view: the run waits for a pod that does not start" in shown.output
    listed = remote.call("runs")
    assert f"Run {RUN} waits: the pod cars-1 has not started" in listed.output
    assert "ImagePullBackOff" in json.loads(remote.call("runs", "--json").stdout)["runs"][0]["problem"]


def test_the_error_in_a_failed_pod_s_log_is_shown_and_kept(remote: Remote) -> None:
    remote.be("FAILED", remote.task("ingest", "FAILED", "Error (exit code 1)", node="cars-x-17"))
    remote.kfp[f"/apis/v1alpha1/runs/{RUN}/nodes/cars-x-retry-system-container-impl-17/log"] = LOG
    done = remote.call("status", "--wait")
    sentence = "s3://cars refuses the key 'AKIA1' (403). Correct AWS_SECRET_ACCESS_KEY."
    sentence += " Pods have these variables from the Secrets and ConfigMaps in `spec.cluster.environment`."
    assert done.exit_code == 1
    assert f"ingest failed: {sentence}" in done.output
    assert "view: not reached; mend what the step that failed says, and `coachworks submit` continues" in done.output
    (kept,) = read_errors(remote.store, RUN)
    assert (kept["step"], kept["type"], kept["message"]) == ("ingest", "InvalidConfigError", sentence)
    assert sentence in remote.call("status").output  # read from the store: pods do not last


def test_a_log_that_only_kubernetes_has_is_read_there(remote: Remote) -> None:
    remote.be("FAILED", remote.task("ingest", "FAILED", "OOMKilled (exit code 137)"))
    remote.api[PODS] = {"items": [{"metadata": {"name": "cars-1"}, "status": {"phase": "Failed"}}]}
    remote.api[f"{PODS}/cars-1/log"] = "reading photos\n120 photos\n"
    assert "OOMKilled (exit code 137). Its log ends: reading photos / 120 photos" in remote.call("status").output


def test_a_log_that_is_gone_is_reported_as_gone(remote: Remote) -> None:
    remote.be("FAILED", remote.task("ingest", "FAILED", "Error (exit code 1)", node="cars-x-17"))
    output = remote.call("status").output
    assert "ingest failed: Error (exit code 1). The log of its pod cannot be read" in output
    assert "`archiveLogs`" in output
