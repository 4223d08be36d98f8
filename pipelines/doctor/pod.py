"""The doctor's pod: started like a step's pod, in the same image, to make the same checks as this machine."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from coachworks.errors import CoachworksError
from coachworks.fleet.model import Fleet
from coachworks.kubernetes_api.pod_problems import IMAGE_REASONS
from pipelines.doctor.bucket import ScratchPrefix
from pipelines.doctor.check_from_pod import REPORT
from pipelines.doctor.findings import Finding, failed, ok
from pipelines.doctor.pod_report import from_log, read_report
from pipelines.kubeflow import Kubeflow, RemoteRun, RunPods, StuckPod
from pipelines.kubeflow.pod_logs import last_lines, read_log
from pipelines.kubeflow.run_pods import QUOTA
from pipelines.pod_ways_out import way_out
from pipelines.submit import for_pods

if TYPE_CHECKING:
    from pipelines.fleet import Place

START = "pod"  # subject of the finding about the start of the pod
_TASK, _EXECUTOR = "doctor", "executor"  # KFP's names of the task and, beside it, of its pod
_INTERVAL_S = 2.0
_SUMMARIES = {"Unschedulable": "no node", QUOTA: "no room in the quota"}


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
                log = read_log(self._kubeflow, self._pods, run, {_TASK})
                findings = from_log(log)
                return [self._without_report(run, log)] if findings is None else [*findings, self._started(started)]
            stuck = self._pods.stuck(run.id) if self._pods else None
            if stuck is not None and stuck.problem.permanent:
                return [self._not_startable(stuck)]
            if time.monotonic() - started > timeout_s:
                return [self._late(run, stuck, timeout_s)]
            reason = f"{stuck.problem.reason}: {stuck.problem.message}" if stuck else _state(run)
            show(f"waiting for a pod: {reason}")
            time.sleep(_INTERVAL_S)

    def _read_stored_report(self) -> list[Finding] | None:
        """Return the pod's report from the store; None if there is none yet, or the two sides see different stores."""
        if self._pod_only:
            return None
        try:
            return read_report(self._scratch.get(REPORT))
        except CoachworksError:
            return None

    def _started(self, started: float) -> Finding:
        return ok(START, f"{self.image}, in {time.monotonic() - started:.0f} s")

    def _not_startable(self, stuck: StuckPod, further: str = "") -> Finding:
        problem, namespace = stuck.problem, self._kubeflow.namespace or "kubeflow"
        summary = "no image" if problem.reason in IMAGE_REASONS else _SUMMARIES.get(problem.reason, "does not start")
        advice = way_out(stuck, self._fleet.spec.cluster, namespace)
        return failed(START, summary, f"{problem.reason}: {problem.message}. {advice}{further}")

    def _late(self, run: RemoteRun, stuck: StuckPod | None, timeout_s: float) -> Finding:
        if stuck is not None:
            return self._not_startable(stuck, " --timeout waits for longer.")
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
        lines = last_lines(log)
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
