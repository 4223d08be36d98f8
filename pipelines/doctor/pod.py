"""What a pod can reach: one pod of the steps' image, placed like a step, that makes the very checks of this machine."""

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
from pipelines.doctor.bucket import ScratchPrefix
from pipelines.doctor.findings import Finding, found
from pipelines.doctor.pod_report import from_log, read_report
from pipelines.doctor.visit import REPORT
from pipelines.kubeflow import Kubeflow, RemoteRun, RunPods
from pipelines.submit import for_pods

if TYPE_CHECKING:
    from pipelines.fleet import Place

POD = "pod"
_TASK, _EXECUTOR = "doctor", "executor"  # what KFP calls the task and, beside it, its pod
_EVERY_S = 2.0
# What Argo calls the pod of node 17 of a workflow: workflow-system-container-impl-17, with or without retries.
_TEMPLATES = ("retry-system-container-impl-", "system-container-impl-", "")
_IMAGE_TROUBLE = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}


def compose(place: "Place") -> Any:
    """The doctor's pipeline: one task."""
    from kfp import dsl

    @dsl.component(base_image="steps", install_kfp_package=False)
    def doctor(fleet: str, name: str, alone: bool) -> None:
        """Look at the store and the tracking server from within a pod."""
        from pipelines.doctor.visit import visit

        visit(fleet, name, alone=alone)

    @dsl.pipeline(name="coachworks-doctor", display_name="Doctor", description="What a pod can reach.")
    def doctor_pipeline(fleet: str, name: str, alone: bool) -> None:
        """Compose the one task."""
        task = doctor(fleet=fleet, name=name, alone=alone)
        place(task, _TASK)
        task.set_caching_options(enable_caching=False)
        task.set_retry(num_retries=0)

    return doctor_pipeline


class Visit:
    """A doctor's pod on its way, to be used as a context manager: afterwards its run is gone.

    Args:
        kubeflow: Where it runs.
        pods: The pods of its runs; None without a kubeconfig.
        fleet: The fleet, located.
        name: Name of the visit: a folder of the store under `doctor/`.
        alone: Whether this machine could leave nothing there.
    """

    def __init__(self, kubeflow: Kubeflow, pods: RunPods | None, fleet: Fleet, name: str, *, alone: bool) -> None:
        self._kubeflow, self._pods, self._fleet, self._name, self._alone = kubeflow, pods, fleet, name, alone
        self._corner = ScratchPrefix.of(fleet.spec.store, name)
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
            parameters = {"fleet": for_pods(self._fleet).to_json(), "name": self._name, "alone": self._alone}
            self._run = self._kubeflow.start_unnamed(
                self._experiment, f"doctor {self._name}", package, parameters, cluster.service_account
            )
        return self

    def __exit__(self, *exc: object) -> None:
        if self._run is not None:
            self._kubeflow.forget(self._run.id, self._experiment)

    def wait(self, timeout_s: float, tell: Callable[[str], None]) -> list[Finding]:
        """What the pod found; or why it could not.

        Args:
            timeout_s: How long to wait for it.
            tell: Is told what is being waited for.
        """
        assert self._run is not None  # noqa: S101 — __enter__ started it
        started = time.monotonic()
        trouble: PodProblem | None = None
        while True:
            if (findings := self._left()) is not None:
                return [*findings, self._came(started)]
            run = self._kubeflow.run(self._run.id)
            if run.ended:
                printed = self._printed(run)
                findings = from_log(printed)
                return [self._silent(run, printed)] if findings is None else [*findings, self._came(started)]
            trouble = self._pods.problem(run.id) if self._pods else None
            if trouble is not None and trouble.permanent:
                return [self._hindered(trouble)]
            if time.monotonic() - started > timeout_s:
                return [self._late(run, trouble, timeout_s)]
            tell(f"waiting for a pod: {f'{trouble.reason}: {trouble.message}' if trouble else _state(run)}")
            time.sleep(_EVERY_S)

    def _left(self) -> list[Finding] | None:
        """What the pod left in the store, where this machine reaches the same one."""
        if self._alone:
            return None
        try:
            return read_report(self._corner.get(REPORT))
        except CoachworksError:
            return None

    def _printed(self, run: RemoteRun) -> str:
        """What the pod printed: as Kubeflow Pipelines has it, else as Kubernetes has it."""
        for node in (child for task in run.tasks if task.name in {_TASK, _EXECUTOR} for child in task.children):
            workflow, _, number = node.rpartition("-")
            for template in _TEMPLATES:
                with contextlib.suppress(CoachworksError):
                    if printed := self._kubeflow.log(run.id, f"{workflow}-{template}{number}"):
                        return printed
        return self._pods.logs(run.id) if self._pods else ""

    def _came(self, started: float) -> Finding:
        return found(POD, f"{self.image}, in {time.monotonic() - started:.0f} s")

    def _hindered(self, trouble: PodProblem) -> Finding:
        said, cluster = f"{trouble.reason}: {trouble.message}", self._fleet.spec.cluster
        if trouble.reason in _IMAGE_TROUBLE:
            return found(POD, "no image", f"{said}. {_get_image(self.image, cluster)}")
        return found(POD, "does not start", f"{said}. {_mend(trouble.message)}")

    def _late(self, run: RemoteRun, trouble: PodProblem | None, timeout_s: float) -> Finding:
        if trouble is not None:
            if trouble.reason == "Unschedulable":
                way_out = "No node has room or fits: lower `requests`, or correct `nodeSelector` and `tolerations`, "
                told = f"{trouble.message}. {way_out}in `spec.cluster.defaults`; --timeout waits for longer."
                return found(POD, "no node", told)
            return self._hindered(trouble)
        if _state(run) == "running":
            return found(
                POD,
                "not done",
                f"it runs, but has not come to an end in {timeout_s:.0f} s: --timeout waits for longer.",
            )
        command = f"kubectl -n {self._kubeflow.namespace or 'kubeflow'} get events --field-selector type=Warning"
        return found(
            POD,
            "does not start",
            f"the pod has not started in {timeout_s:.0f} s, and Kubeflow Pipelines does not say why: its image "
            f"{self.image} cannot be pulled, a Secret or ConfigMap is not there, or no node has room: `{command}`.",
        )

    def _silent(self, run: RemoteRun, printed: str) -> Finding:
        told = next((task.error for task in run.tasks if task.error), run.error)
        told = told or (self._pods.refusal(run.id) if self._pods else "")
        last = _last_lines(printed)
        said = "; ".join(text for text in (told, f"it printed: {last}" if last else "") if text)
        return found(
            POD,
            f"{run.state.lower()}, nothing found",
            f"the pod ended without a finding{f' ({said})' if said else ''}. Is its image {self.image} of this very "
            "version? `coachworks images` tells.",
        )


def _state(run: RemoteRun) -> str:
    """How the doctor's own pod is, as far as Kubeflow Pipelines tells."""
    states = {task.name: task.state for task in run.tasks}
    return (states.get(f"{_EXECUTOR}(0)") or states.get(_EXECUTOR) or "PENDING").lower()


def _get_image(image: str, cluster: Cluster) -> str:
    if cluster.image is None:
        return (
            f"Build {image} with the commands of `coachworks images`, push it where nodes can pull from, and name it "
            "as `spec.cluster.image`."
        )
    secrets = "" if cluster.image_pull_secrets else " A private registry needs `spec.cluster.imagePullSecrets`."
    return f"Push {image} there, or correct `spec.cluster.image`.{secrets}"


def _mend(message: str) -> str:
    """The way out of what keeps a container from being made: mostly an entry of a Secret that is not there."""
    lacking = re.search(r"couldn't find key (\S+) in (Secret|ConfigMap) [^/\s]*/?(\S+)", message)
    if lacking is None:
        return "Mend what it names, in `spec.cluster` or in the namespace."
    key, kind, name = lacking.groups()
    return f"Add {key} to the {kind} {name!r}, or take it out of its `keys` in `spec.cluster.environment`."


def _last_lines(log: str, count: int = 3) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return " / ".join(lines[-count:])
