"""Pods of a run, as far as the kubeconfig lets us read them: problems, logs, and refusals by Kubernetes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from coachworks.errors import NotFoundError
from coachworks.kubernetes_api import (
    Connection,
    ForbiddenError,
    PodProblem,
    find_connection,
    find_pod_problem,
    path_of,
)

STEP_LABEL = "coachworks.dev/step"  # on the pods of steps; pods of Kubeflow Pipelines itself, the drivers, lack it
STEP_CONTAINER = "main"  # the container that runs a step; the others of its pod are those of Kubeflow Pipelines
QUOTA = "ExceededQuota"  # reason of a pod that is not created, because its namespace has no room for it
UNSEEN = "Unseen"  # reason of a pod that we have no right to look at
_FORBIDDEN = "Forbidden"
_TIMEOUT_S = 10  # somebody is waiting for the answer
_REFUSED_POD = re.compile(r'pods "([^"]+)" is forbidden')


@dataclass(frozen=True, kw_only=True)
class StuckPod:
    """Pod of a run that does not start, or that Kubernetes does not create.

    Attributes:
        name: Its name.
        step: Its step; empty for a pod of Kubeflow Pipelines itself and for a pod that was not created.
        image: Image of the container with the problem; empty if the problem is about the whole pod.
        problem: The problem.
        seconds: Time since a node was assigned to it or, before that, since its creation.
    """

    name: str
    step: str
    image: str
    problem: PodProblem
    seconds: float


def unseen_pod(step: str, seconds: float) -> StuckPod:
    """Return the pod of a step of which nothing has been seen for some time, by somebody who may not list pods."""
    problem = PodProblem(reason=UNSEEN, message="without the right to list pods its state is unknown", permanent=False)
    return StuckPod(name=f"of {step}", step=step, image="", problem=problem, seconds=seconds)


class RunPods:
    """Pods of Kubeflow's runs in a namespace.

    Args:
        connection: The API server.
        namespace: Namespace of the runs.
    """

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection, self._namespace = connection.with_timeout(_TIMEOUT_S), namespace

    @property
    def namespace(self) -> str:
        """Namespace of the runs."""
        return self._namespace

    @cached_property
    def readable(self) -> bool:
        """True if we have the right to list pods; without it `stuck` knows nothing."""
        return self._connection.allows("list", "pods", self._namespace)

    def stuck(self, run_id: str) -> StuckPod | None:
        """Return a pod of a run that does not start or is not created; None if there is none, or no right to see it."""
        for pod in self._list("v1", "pods", run_id, fieldSelector="status.phase=Pending"):
            problem = find_pod_problem(self._connection, self._namespace, pod)
            if problem is not None:
                return self._stuck_pod(pod, problem)
        for node in self._nodes(run_id):
            message = str(node.get("message") or "")
            match = _REFUSED_POD.search(message)
            if node.get("phase") == "Pending" and match is not None:
                reason = QUOTA if "exceeded quota" in message else _FORBIDDEN
                problem = PodProblem(reason=reason, message=message, permanent=False)
                seconds = self._seconds_since(node.get("startedAt"))
                return StuckPod(name=match[1], step="", image="", problem=problem, seconds=seconds)
        return None

    def _stuck_pod(self, pod: Mapping[str, Any], problem: PodProblem) -> StuckPod:
        metadata, spec = pod["metadata"], pod.get("spec") or {}
        containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
        conditions = (pod.get("status") or {}).get("conditions") or ()
        assigned = [each for each in conditions if each.get("type") == "PodScheduled" and each.get("status") == "True"]
        since = assigned[0].get("lastTransitionTime") if assigned else metadata.get("creationTimestamp")
        return StuckPod(
            name=str(metadata["name"]),
            step=str((metadata.get("labels") or {}).get(STEP_LABEL, "")),
            image=next((str(each["image"]) for each in containers if each["name"] == problem.container), ""),
            problem=problem,
            seconds=self._seconds_since(since),
        )

    def _seconds_since(self, timestamp: str | None) -> float:
        return (self._connection.now() - datetime.fromisoformat(timestamp)).total_seconds() if timestamp else 0.0

    def refusal(self, run_id: str) -> str:
        """Return Kubernetes' message if it refused to create a pod of a run; KFP's API does not pass it on."""
        return next((str(node["message"]) for node in self._nodes(run_id) if node.get("message")), "")

    def _nodes(self, run_id: str) -> list[Mapping[str, Any]]:
        """Return the nodes of a run's workflow that stand for pods."""
        workflows = self._list("argoproj.io/v1alpha1", "workflows", run_id)
        nodes = [node for each in workflows for node in (each.get("status", {}).get("nodes") or {}).values()]
        return [node for node in nodes if node.get("type") == "Pod"]

    def logs(self, run_id: str, **selector: str) -> str:
        """Return the logs of a run's pods, as far as we may read them.

        Args:
            run_id: Id of the run.
            selector: Query that restricts the pods, such as `fieldSelector="status.phase=Failed"`.
        """
        pods = self._list("v1", "pods", run_id, **selector)
        return "\n".join(self._log(str(pod["metadata"]["name"])) for pod in pods)

    def _log(self, pod: str) -> str:
        try:
            return self._connection.text(path_of("v1", "pods", self._namespace, pod, "log"), container=STEP_CONTAINER)
        except (ForbiddenError, NotFoundError):
            return ""

    def _list(self, version: str, resource: str, run_id: str, **selector: str) -> list[Mapping[str, Any]]:
        path = path_of(version, resource, self._namespace)
        try:
            return list(self._connection.get(path, labelSelector=f"pipeline/runid={run_id}", **selector)["items"])
        except (ForbiddenError, NotFoundError):
            return []


def open_run_pods(namespace: str) -> RunPods | None:
    """Return the pods of runs in a namespace of the kubeconfig's cluster; None without a kubeconfig."""
    connection = find_connection()
    return None if connection is None else RunPods(connection, namespace)
