"""The doctor's pod: settings of a step's pod, and findings by whatever way they arrive."""

import json
from typing import Any

from coachworks.kubernetes_api import PodProblem
from pipelines.compiled import read_documents
from pipelines.doctor.findings import Finding, Status
from pipelines.doctor.pod import START, DoctorPod, compose
from pipelines.doctor.pod_report import MARK, write_report
from pipelines.kubeflow import RemoteRun, RemoteTask, StuckPod
from pipelines.pod_spec import placement

FINDINGS = [Finding(subject="store: access", status=Status.FAILED, summary="no answer", way_out="Start it.")]
IMAGE = "coachworks/steps:test"


class Cluster:
    """Kubeflow Pipelines with one run, and the pods of that run."""

    namespace = "kubeflow"
    image = IMAGE

    def __init__(self, *states: str, printed: str = "", problem: PodProblem | None = None) -> None:
        self.states, self.printed, self.pod_problem = list(states), printed, problem
        self.forgotten: list[str] = []

    def experiment(self, name: str) -> str:
        return name

    def start_unnamed(self, *arguments: Any) -> RemoteRun:
        return self.run("5f0c")

    def run(self, run_id: str) -> RemoteRun:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        common = {"state": state, "started_at": None, "ended_at": None, "error": "", "parent": None}
        pod = RemoteTask(name="executor", id="2", children=("w-17",), **common)
        return RemoteRun(id=run_id, name="doctor", state=state, created_at=None, finished_at=None, tasks=(pod,))

    def log(self, run_id: str, pod: str) -> str:
        return self.printed if pod == "w-retry-system-container-impl-17" else ""

    def forget(self, run_id: str, experiment_id: str) -> None:
        self.forgotten.append(run_id)

    def stuck(self, run_id: str) -> StuckPod | None:
        problem = self.pod_problem
        return problem and StuckPod(name="doctor-1", step="doctor", image=self.image, problem=problem, seconds=5)

    def logs(self, run_id: str) -> str:
        return ""

    def refusal(self, run_id: str) -> str:
        return "pods is forbidden: exceeded quota"


def check(cluster: Any, fleet: Any, timeout_s: float = 0) -> list[Finding]:
    with DoctorPod(cluster, cluster, fleet, "1a2b", pod_only=True) as pod:
        findings = pod.wait(timeout_s, lambda text: None)
    assert cluster.forgotten == ["5f0c"]
    return findings


def test_the_pod_has_the_settings_of_a_step_s_pod(cluster_fleet, tmp_path):
    from kfp import compiler

    from pipelines.compiled import compiled_documents

    fleet = cluster_fleet(
        image=IMAGE,
        environment=[{"secret": "cars", "keys": ["AWS_ACCESS_KEY_ID"]}, {"configMap": "addresses"}],
        certificateAuthority={"configMap": "ca"},
        imagePullSecrets=["registry"],
        defaults={"nodeSelector": {"disk": "fast"}, "tolerations": [{"key": "jobs", "operator": "Exists"}]},
    )
    compiler.Compiler().compile(compose(placement(fleet.spec.cluster, IMAGE)), str(tmp_path / "doctor.yaml"))
    doctor, steps = read_documents(tmp_path / "doctor.yaml"), compiled_documents(fleet)
    place = ("platforms", "kubernetes", "deploymentSpec", "executors")
    ours, theirs = doctor[1], steps[1]
    for key in place:
        ours, theirs = ours[key], theirs[key]
    assert ours["exec-doctor"].pop("podMetadata") == {"labels": {"coachworks.dev/step": "doctor"}}
    theirs["exec-split"].pop("podMetadata")
    assert ours["exec-doctor"] == theirs["exec-split"]
    ours, theirs = (spec[0]["deploymentSpec"]["executors"] for spec in (doctor, steps))
    for key in ("image", "env"):
        assert ours["exec-doctor"]["container"].get(key) == theirs["exec-split"]["container"].get(key)
    assert "cachingOptions" not in json.dumps(doctor[0]["root"]["dag"]["tasks"]["doctor"]).replace(
        '"cachingOptions": {}', ""
    )


def test_findings_are_read_from_the_log_if_the_store_cannot_be_reached(cluster_fleet):
    printed = f"launcher\n{MARK}{write_report(FINDINGS).decode()}\n"
    *findings, pod = check(Cluster("SUCCEEDED", printed=printed), cluster_fleet(image=IMAGE))
    assert findings == FINDINGS
    assert (pod.subject, pod.status) == (START, "ok")


def test_a_pod_without_a_report_is_reported_with_its_last_log_lines_or_its_refusal(cluster_fleet):
    fleet = cluster_fleet(image=IMAGE)
    (pod,) = check(Cluster("FAILED", printed="ModuleNotFoundError: No module named 'pipelines.doctor'"), fleet)
    assert pod.status == "failed"
    assert "No module named 'pipelines.doctor'" in pod.way_out
    assert "exceeded quota" in check(Cluster("FAILED"), fleet)[0].way_out


def test_an_image_that_cannot_be_pulled_is_reported_at_once(cluster_fleet):
    problem = PodProblem(reason="ImagePullBackOff", message="no such host", permanent=True)
    (pod,) = check(Cluster("RUNNING", problem=problem), cluster_fleet(image=IMAGE), timeout_s=1000)
    assert pod.summary == "no image"
    assert f"no such host. Push {IMAGE} where the nodes can pull it, or correct `spec.cluster.image`" in pod.way_out


def test_an_image_of_kubeflow_pipelines_is_not_blamed_on_the_fleet_file(cluster_fleet):
    cluster = Cluster("RUNNING", problem=PodProblem(reason="ImagePullBackOff", message="no such host", permanent=True))
    cluster.image = "ghcr.io/kubeflow/kfp-driver:2.14.3"
    (pod,) = check(cluster, cluster_fleet(image=IMAGE))
    assert "ghcr.io/kubeflow/kfp-driver:2.14.3 is an image of Kubeflow Pipelines itself" in pod.way_out


def test_a_missing_entry_of_a_secret_is_named(cluster_fleet):
    message = "couldn't find key AWS_REGION in Secret kubeflow/cars"
    problem = PodProblem(reason="CreateContainerConfigError", message=message, permanent=True)
    (pod,) = check(Cluster("RUNNING", problem=problem), cluster_fleet(image=IMAGE))
    assert "Add AWS_REGION to the Secret 'cars', or remove it from its `keys`" in pod.way_out


def test_a_pod_without_a_node_is_waited_for_until_the_timeout(cluster_fleet):
    problem = PodProblem(reason="Unschedulable", message="0/1 nodes are available: 1 Insufficient cpu", permanent=False)
    (pod,) = check(Cluster("RUNNING", problem=problem), cluster_fleet(image=IMAGE))
    assert pod.summary == "no node"
    assert "lower `requests`" in pod.way_out


def test_without_the_right_to_read_pods_the_possible_reasons_are_listed(cluster_fleet):
    (pod,) = check(Cluster("PENDING"), cluster_fleet(image=IMAGE))
    assert "gives no reason" in pod.way_out
    assert "kubectl -n kubeflow get events" in pod.way_out
