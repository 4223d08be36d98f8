"""The doctor's pod: started like a step's pod, in the same image, to make the same checks as this machine."""

import contextlib
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from coachworks.errors import CoachworksError
from coachworks.fleet.cluster import Cluster
from coachworks.fleet.model import Fleet
from coachworks.kubernetes_api import PodProblem
from coachworks.kubernetes_api.pod_problems import IMAGE_REASONS
from pipelines.doctor.bucket import ScratchPrefix
from pipelines.doctor.check_from_pod import REPORT
from pipelines.doctor.findings import Finding, failed, ok
from pipelines.doctor.pod_report import from_log, read_report
from pipelines.kubeflow import Kubeflow, RemoteRun, RunPods
from pipelines.submit import for_pods

if TYPE_CHECKING:
    from pipelines.fleet import Place

START = "pod"  # subject of the finding about the start of the pod
_TASK, _EXECUTOR = "doctor", "executor"  # KFP's names of the task and, beside it, of its pod
_INTERVAL_S = 2.0
# Argo's pod of node 17 of a workflow is workflow-system-container-impl-17, with a prefix if the task has retries.
_TEMPLATES = ("retry-system-container-impl-", "system-container-impl-", "")


def compose(place: "Place") -> Any:
    """Return the doctor's pipeline, which has one task."""
    from kfp import dsl

    @dsl.component(base_image="steps", install_kfp_package=False)
    def doctor(fleet: str, name: str, pod_only: bool) -> None:
        """Check the store and the tracking server from within a pod."""
        from pipelines.doctor.check_from_pod import check_from_pod

        check_from_pod(fleet, name, pod_only=pod_only)

    @dsl.pipeline(name="coachworks-doctor", display_name="Doctor", description="Checks from within a pod.")
    def doctor_pipeline(fleet: str, name: str, pod_only: bool) -> None:
        """Compose the one task."""
        task = doctor(fleet=fleet, name=name, pod_only=pod_only)
        place(task, _TASK)
        task.set_caching_options(enable_caching=False)
        task.set_retry(num_retries=0)

    return doctor_pipeline


class DoctorPod:
    """Run of the doctor's pipeline, to be used as a context manager that starts the run and removes it.

    Args:
        kubeflow: Kubeflow Pipelines.
        pods: Pods of its runs; None without a kubeconfig.
        fleet: The fleet, located.
        name: Name of the scratch prefix in the store.
        pod_only: Whether the local checks could not write to the store.
    """

    def __init__(self, kubeflow: Kubeflow, pods: RunPods | None, fleet: Fleet, name: str, *, pod_only: bool) -> None:
        self._kubeflow, self._pods, self._fleet, self._name, self._pod_only = kubeflow, pods, fleet, name, pod_only
        self._scratch = ScratchPrefix.of(fleet.spec.store, name)
        self._experiment = ""
        self._run: RemoteRun | None = None

    def __enter__(self) -> Self:
        from kfp import compiler

        from components import container_images
        from pipelines.pod_spec import placement

        cluster = self._fleet.spec.cluster
        self.image = cluster.image or container_images.STEPS
        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder) / "doctor.yaml"
            pipeline = compose(placement(cluster, self.image, cached=False))
            compiler.Compiler().compile(pipeline, str(package))
            self._experiment = self._kubeflow.experiment(f"{self._fleet.name}-doctor")
            parameters = {"fleet": for_pods(self._fleet).to_json(), "name": self._name, "pod_only": self._pod_only}
            self._run = self._kubeflow.start_unnamed(
                self._experiment, f"doctor {self._name}", package, parameters, cluster.service_account
            )
        return self

    def __exit__(self, *exc: object) -> None:
        if self._run is not None:
            self._kubeflow.forget(self._run.id, self._experiment)

    def wait(self, timeout_s: float, show: Callable[[str], None]) -> list[Finding]:
        """Wait for the pod and return its findings, or the reason why there are none.

        Args:
            timeout_s: Longest wait in seconds.
            show: Called with the state of the pod.
        """
        assert self._run is not None  # noqa: S101 — __enter__ started it
        started = time.monotonic()
        while True:
            if (findings := self._read_stored_report()) is not None:
                return [*findings, self._started(started)]
            run = self._kubeflow.run(self._run.id)
            if run.ended:
                log = self._log(run)
                findings = from_log(log)
                return [self._without_report(run, log)] if findings is None else [*findings, self._started(started)]
            problem = self._pods.problem(run.id) if self._pods else None
            if problem is not None and problem.permanent:
                return [self._not_startable(problem)]
            if time.monotonic() - started > timeout_s:
                return [self._late(run, problem, timeout_s)]
            show(f"waiting for a pod: {f'{problem.reason}: {problem.message}' if problem else _state(run)}")
            time.sleep(_INTERVAL_S)

    def _read_stored_report(self) -> list[Finding] | None:
        """Return the pod's report from the store; None if there is none yet, or the two sides see different stores."""
        if self._pod_only:
            return None
        try:
            return read_report(self._scratch.get(REPORT))
        except CoachworksError:
            return None

    def _log(self, run: RemoteRun) -> str:
        """Return the pod's log from Kubeflow Pipelines, else from Kubernetes."""
        for node in (child for task in run.tasks if task.name in {_TASK, _EXECUTOR} for child in task.children):
            workflow, _, number = node.rpartition("-")
            for template in _TEMPLATES:
                with contextlib.suppress(CoachworksError):
                    if log := self._kubeflow.log(run.id, f"{workflow}-{template}{number}"):
                        return log
        return self._pods.logs(run.id) if self._pods else ""

    def _started(self, started: float) -> Finding:
        return ok(START, f"{self.image}, in {time.monotonic() - started:.0f} s")

    def _not_startable(self, problem: PodProblem) -> Finding:
        message, cluster = f"{problem.reason}: {problem.message}", self._fleet.spec.cluster
        if problem.reason in IMAGE_REASONS:
            return failed(START, "no image", f"{message}. {_provide_image(self.image, cluster)}")
        return failed(START, "does not start", f"{message}. {_correct_entry(problem.message)}")

    def _late(self, run: RemoteRun, problem: PodProblem | None, timeout_s: float) -> Finding:
        if problem is not None:
            if problem.reason == "Unschedulable":
                return failed(
                    START,
                    "no node",
                    f"{problem.message}. No node has room or fits: lower `requests`, or correct `nodeSelector` and "
                    "`tolerations`, in `spec.cluster.defaults`; --timeout waits for longer.",
                )
            return self._not_startable(problem)
        if _state(run) == "running":
            way_out = f"it runs, but has not finished in {timeout_s:.0f} s: --timeout waits for longer."
            return failed(START, "not finished", way_out)
        command = f"kubectl -n {self._kubeflow.namespace or 'kubeflow'} get events --field-selector type=Warning"
        return failed(
            START,
            "does not start",
            f"the pod has not started in {timeout_s:.0f} s, and Kubeflow Pipelines gives no reason: its image "
            f"{self.image} cannot be pulled, a Secret or ConfigMap is missing, or no node has room: `{command}`.",
        )

    def _without_report(self, run: RemoteRun, log: str) -> Finding:
        message = next((task.error for task in run.tasks if task.error), run.error)
        message = message or (self._pods.refusal(run.id) if self._pods else "")
        lines = _last_lines(log)
        details = "; ".join(text for text in (message, f"its log ends: {lines}" if lines else "") if text)
        return failed(
            START,
            f"{run.state.lower()}, no report",
            f"the pod ended without a report{f' ({details})' if details else ''}. Is its image {self.image} of the "
            "same version as this command? `coachworks images` shows the right one.",
        )


def _state(run: RemoteRun) -> str:
    """Return the state of the doctor's pod according to Kubeflow Pipelines."""
    states = {task.name: task.state for task in run.tasks}
    return (states.get(f"{_EXECUTOR}(0)") or states.get(_EXECUTOR) or "PENDING").lower()


def _provide_image(image: str, cluster: Cluster) -> str:
    if cluster.image is None:
        return (
            f"Build {image} with the commands of `coachworks images`, push it where nodes can pull from, and name it "
            "as `spec.cluster.image`."
        )
    secrets = "" if cluster.image_pull_secrets else " A private registry needs `spec.cluster.imagePullSecrets`."
    return f"Push {image} where the nodes can pull it, or correct `spec.cluster.image`.{secrets}"


def _correct_entry(message: str) -> str:
    """Return the way out for a container that cannot be created: mostly an entry missing in a Secret."""
    match = re.search(r"couldn't find key (\S+) in (Secret|ConfigMap) [^/\s]*/?(\S+)", message)
    if match is None:
        return "Correct the object that it names, in `spec.cluster` or in the namespace."
    key, kind, name = match.groups()
    return f"Add {key} to the {kind} {name!r}, or remove it from its `keys` in `spec.cluster.environment`."


def _last_lines(log: str, count: int = 3) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return " / ".join(lines[-count:])
