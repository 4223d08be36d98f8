"""Pods of a run: problems, logs and refusals, as far as the kubeconfig lets us read them."""

from typing import Any

import pytest

from coachworks.kubernetes_api import PodProblem
from pipelines.kubeflow import open_run_pods

PATH = "/api/v1/namespaces/kubeflow"


def pod(**status: Any) -> dict[str, Any]:
    return {"items": [{"metadata": {"name": "doctor-1"}, "status": status}]}


@pytest.mark.parametrize(
    ("reason", "permanent"), [("ImagePullBackOff", True), ("ErrImagePull", False), ("CreateContainerConfigError", True)]
)
def test_a_pod_that_does_not_start_has_a_problem(api_server, reason, permanent):
    waiting = {"name": "main", "image": "i", "imageID": "", "ready": False, "restartCount": 0}
    waiting["state"] = {"waiting": {"reason": reason, "message": "no"}}
    api_server[f"{PATH}/pods"] = pod(phase="Pending", containerStatuses=[waiting])
    assert open_run_pods("kubeflow").stuck("5f0c").problem == PodProblem(
        reason=reason, message="no", permanent=permanent, container="main"
    )


def test_an_unschedulable_pod_or_a_missing_volume_is_a_problem(api_server):
    unfit = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    api_server[f"{PATH}/pods"] = pod(phase="Pending", conditions=[unfit])
    assert open_run_pods("kubeflow").stuck("5f0c").problem == PodProblem(
        reason="Unschedulable", message="0/1 nodes", permanent=False
    )
    api_server[f"{PATH}/pods"] = pod(phase="Pending")
    event = {"type": "Warning", "reason": "FailedMount", "message": 'secret "cars" not found'}
    event |= {"metadata": {"name": "e"}, "involvedObject": {}}
    api_server[f"{PATH}/events"] = {"items": [event]}
    problem = open_run_pods("kubeflow").stuck("5f0c").problem
    assert (problem.reason, problem.permanent) == ("FailedMount", True)


def test_without_the_right_to_read_pods_nothing_is_reported(api_server):
    api_server[f"{PATH}/pods"] = 403
    assert open_run_pods("kubeflow").stuck("5f0c") is None
    assert open_run_pods("kubeflow").logs("5f0c") == ""
    api_server[f"{PATH}/pods"] = {"items": [{"metadata": {"name": "doctor-1"}}]}
    api_server[f"{PATH}/pods/doctor-1/log"] = 403
    assert open_run_pods("kubeflow").logs("5f0c") == ""
    assert open_run_pods("kubeflow").refusal("5f0c") == ""


def test_logs_of_all_pods_are_read(api_server):
    api_server[f"{PATH}/pods"] = {"items": [{"metadata": {"name": name}} for name in ("a", "b")]}
    api_server[f"{PATH}/pods/a/log"], api_server[f"{PATH}/pods/b/log"] = "one", "two"
    assert open_run_pods("kubeflow").logs("5f0c") == "one\ntwo"


def test_a_pod_that_kubernetes_refused_is_found_in_its_workflow(api_server):
    refused = {"type": "Pod", "message": 'pods "doctor-1" is forbidden: exceeded quota: runs'}
    workflow = {"status": {"nodes": {"w": {"type": "DAG", "message": "child failed"}, "w-1": refused}}}
    api_server["/apis/argoproj.io/v1alpha1/namespaces/kubeflow/workflows"] = {"items": [workflow]}
    assert open_run_pods("kubeflow").refusal("5f0c") == refused["message"]


def test_without_a_kubeconfig_there_are_no_pods_to_read(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert open_run_pods("kubeflow") is None
