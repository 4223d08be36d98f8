"""Pods of finished runs, deleted by Kubeflow Pipelines or Argo after the time that the guide sets."""

import json
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coachworks.fleet.cluster import Cluster
from lab import PIPELINES, Lab, until
from pipelines.pod_spec import run_config

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "kubernetes.md"
KEEP = {"afterSuccessSeconds": 60, "afterFailureSeconds": 604800}
SETTINGS = ("-n", PIPELINES, "patch", "configmap", "workflow-controller-configmap", "--type=merge", "--patch")


@pytest.fixture
def client(lab: Lab, session_name: str) -> Iterator[Any]:
    import kfp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = kfp.Client(host=lab.environ["KFP_ENDPOINT"])
    try:
        yield client
    finally:
        experiment = client.get_experiment(experiment_name=f"{session_name}-pods").experiment_id
        for run in client.list_runs(experiment_id=experiment, page_size=100).runs:
            client.delete_run(run.run_id)
        client.delete_experiment(experiment)


@pytest.fixture
def start(client: Any, session_name: str, image: Callable[[str], str], tmp_path: Path) -> Callable[[int], str]:
    """A function that starts a run of one task with an exit status; it returns the run's id."""
    from kfp import compiler, dsl

    serving = f"docker.io/{image('serving')}"

    def begin(status: int) -> str:
        @dsl.container_component
        def leave():
            return dsl.ContainerSpec(image=serving, command=["sh", "-c"], args=[f"exit {status}"])

        config = run_config(Cluster.model_validate({"keepPods": KEEP}))

        @dsl.pipeline(name=f"{session_name}-leave-{status}", pipeline_config=config)
        def pipeline() -> None:
            leave().set_caching_options(enable_caching=False)

        compiler.Compiler().compile(pipeline, str(tmp_path / "pipeline.yaml"))
        run = client.create_run_from_pipeline_package(
            str(tmp_path / "pipeline.yaml"), arguments={}, experiment_name=f"{session_name}-pods"
        )
        return str(run.run_id)

    return begin


@pytest.fixture
def argo_deletes(lab: Lab) -> Iterator[None]:
    """The setting of Argo's controller that the guide shows, with seconds in place of an hour."""
    command = re.search(r"workflow-controller-configmap --patch '\n(.*?)'\n", GUIDE.read_text("utf-8"), re.DOTALL)
    assert command
    assert "secondsAfterSuccess: 3600" in command[1]
    lab.kubectl(*SETTINGS, command[1].replace("secondsAfterSuccess: 3600", "secondsAfterSuccess: 5"))
    yield
    lab.kubectl(*SETTINGS, json.dumps({"data": {"workflowDefaults": None}}))


def pods(lab: Lab, run: str) -> list[str]:
    items = lab.get("-n", PIPELINES, "pods", "-l", f"pipeline/runid={run}")["items"]
    return [str(pod["metadata"]["name"]) for pod in items]


@pytest.mark.usefixtures("argo_deletes")
def test_pods_of_a_successful_run_go_and_those_of_a_failed_one_stay(
    lab: Lab, client: Any, start: Callable[[int], str]
) -> None:
    good, bad = start(0), start(1)
    states = {good: "SUCCEEDED", bad: "FAILED"}
    for run, state in states.items():
        until(f"the run is {state}", lambda run=run, state=state: client.get_run(run).state == state, within_s=90)
    assert pods(lab, bad)
    until("the pods are gone", lambda: not pods(lab, good), within_s=90)
    assert pods(lab, bad)
    assert {run: client.get_run(run).state for run in states} == states, "the runs stay in the dashboard"
