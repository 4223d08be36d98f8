"""The doctor's pod: made like those of the steps, and heard in whatever way it can speak."""

import json
from typing import Any

from coachworks.kubernetes_api import PodProblem
from pipelines.compiled import read_documents
from pipelines.doctor.findings import Finding, Verdict
from pipelines.doctor.pod import POD, Visit, compose
from pipelines.doctor.pod_report import MARK, write_report
from pipelines.kubeflow import RemoteRun, RemoteTask
from pipelines.pod_spec import placement

FOUND = [Finding(what="store: access", verdict=Verdict.FAILED, said="no answer", way_out="Start it.")]
IMAGE = "coachworks/steps:test"


class Cluster:
    """Kubeflow Pipelines with one run, and what Kubernetes says of it."""

    namespace = "kubeflow"

    def __init__(self, *states: str, printed: str = "", trouble: PodProblem | None = None) -> None:
        self.states, self.printed, self.told = list(states), printed, trouble
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

    def problem(self, run_id: str) -> PodProblem | None:
        return self.told

    def logs(self, run_id: str) -> str:
        return ""

    def refusal(self, run_id: str) -> str:
        return "pods is forbidden: exceeded quota"


def visit(cluster: Any, fleet: Any, timeout_s: float = 0) -> list[Finding]:
    with Visit(cluster, cluster, fleet, "1a2b", alone=True) as doctor:
        findings = doctor.wait(timeout_s, lambda text: None)
    assert cluster.forgotten == ["5f0c"]
    return findings


def test_the_pod_is_placed_like_that_of_a_step(cluster_fleet, tmp_path):
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
    assert ours["exec-doctor"] == theirs["exec-split"]
    ours, theirs = (spec[0]["deploymentSpec"]["executors"] for spec in (doctor, steps))
    for key in ("image", "env"):
        assert ours["exec-doctor"]["container"].get(key) == theirs["exec-split"]["container"].get(key)
    assert "cachingOptions" not in json.dumps(doctor[0]["root"]["dag"]["tasks"]["doctor"]).replace(
        '"cachingOptions": {}', ""
    )


def test_what_the_pod_found_comes_back_through_its_log_where_the_store_is_away(cluster_fleet):
    printed = f"launcher\n{MARK}{write_report(FOUND).decode()}\n"
    *findings, pod = visit(Cluster("SUCCEEDED", printed=printed), cluster_fleet(image=IMAGE))
    assert findings == FOUND
    assert (pod.what, pod.verdict) == (POD, "ok")


def test_a_pod_that_ends_without_a_word_is_told_with_its_last_lines_or_the_complaint_about_it(cluster_fleet):
    fleet = cluster_fleet(image=IMAGE)
    (pod,) = visit(Cluster("FAILED", printed="ModuleNotFoundError: No module named 'pipelines.doctor'"), fleet)
    assert pod.verdict == "failed"
    assert "No module named 'pipelines.doctor'" in pod.way_out
    assert "exceeded quota" in visit(Cluster("FAILED"), fleet)[0].way_out


def test_an_image_that_cannot_be_pulled_is_told_at_once(cluster_fleet):
    trouble = PodProblem(reason="ImagePullBackOff", message="no such host", permanent=True)
    (pod,) = visit(Cluster("RUNNING", trouble=trouble), cluster_fleet(image=IMAGE), timeout_s=1000)
    assert pod.said == "no image"
    assert f"no such host. Push {IMAGE} there, or correct `spec.cluster.image`" in pod.way_out


def test_an_entry_that_a_secret_lacks_is_named(cluster_fleet):
    message = "couldn't find key AWS_REGION in Secret kubeflow/cars"
    trouble = PodProblem(reason="CreateContainerConfigError", message=message, permanent=True)
    (pod,) = visit(Cluster("RUNNING", trouble=trouble), cluster_fleet(image=IMAGE))
    assert "Add AWS_REGION to the Secret 'cars', or take it out of its `keys`" in pod.way_out


def test_a_pod_without_a_node_is_waited_for_and_then_told(cluster_fleet):
    trouble = PodProblem(reason="Unschedulable", message="0/1 nodes are available: 1 Insufficient cpu", permanent=False)
    (pod,) = visit(Cluster("RUNNING", trouble=trouble), cluster_fleet(image=IMAGE))
    assert pod.said == "no node"
    assert "lower `requests`" in pod.way_out


def test_where_nobody_may_look_the_possible_reasons_are_told(cluster_fleet):
    (pod,) = visit(Cluster("PENDING"), cluster_fleet(image=IMAGE))
    assert "does not say why" in pod.way_out
    assert "kubectl -n kubeflow get events" in pod.way_out
