"""Pods of a run, as far as the kubeconfig lets us read them: problems, logs, and refusals by Kubernetes."""

from collections.abc import Mapping
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

_TIMEOUT_S = 10  # somebody is waiting for the answer


class RunPods:
    """Pods of Kubeflow's runs in a namespace.

    Args:
        connection: The API server.
        namespace: Namespace of the runs.
    """

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection, self._namespace = connection.with_timeout(_TIMEOUT_S), namespace

    def problem(self, run_id: str) -> PodProblem | None:
        """Return what keeps a pod of a run from starting; None if there is nothing, or no right to see it."""
        for pod in self._list("v1", "pods", run_id):
            problem = find_pod_problem(self._connection, self._namespace, pod)
            if problem is not None:
                return problem
        return None

    def refusal(self, run_id: str) -> str:
        """Return Kubernetes' message if it refused to create a pod of a run; KFP's API does not pass it on."""
        workflows = self._list("argoproj.io/v1alpha1", "workflows", run_id)
        nodes = [node for each in workflows for node in each.get("status", {}).get("nodes", {}).values()]
        return next((str(node["message"]) for node in nodes if node.get("type") == "Pod" and node.get("message")), "")

    def logs(self, run_id: str) -> str:
        """Return the logs of a run's pods, as far as we may read them."""
        return "\n".join(self._log(str(pod["metadata"]["name"])) for pod in self._list("v1", "pods", run_id))

    def _log(self, pod: str) -> str:
        try:
            return self._connection.text(path_of("v1", "pods", self._namespace, pod, "log"), container="main")
        except (ForbiddenError, NotFoundError):
            return ""

    def _list(self, version: str, resource: str, run_id: str) -> list[Mapping[str, Any]]:
        path = path_of(version, resource, self._namespace)
        try:
            return list(self._connection.get(path, labelSelector=f"pipeline/runid={run_id}")["items"])
        except (ForbiddenError, NotFoundError):
            return []


def open_run_pods(namespace: str) -> RunPods | None:
    """Return the pods of runs in a namespace of the kubeconfig's cluster; None without a kubeconfig."""
    connection = find_connection()
    return None if connection is None else RunPods(connection, namespace)
