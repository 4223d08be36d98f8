"""The cluster that a fleet is released to, as far as its namespace: pods, Deployments, Services, autoscalers."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError
from coachworks.kubernetes_api import Connection, Trouble, connect, path_of, trouble_in_events, trouble_of
from coachworks.progress import SILENT, Progress
from components.deploy.cluster.readiness import RolloutError, Watch
from components.deploy.cluster.state import (
    GROUP,
    TRACK,
    AutoscalerState,
    DeploymentState,
    Json,
    PodState,
    ServiceState,
    read_autoscaler,
    read_deployment,
    read_pod,
    read_service,
)

__all__ = [
    "AutoscalerState",
    "Cluster",
    "DeploymentState",
    "PodState",
    "RolloutError",
    "ServiceState",
    "open_cluster",
]

INSTANCE = "app.kubernetes.io/instance"
_EVERY_S = 1.0
_LINE = 300  # letters of a log's line that a message repeats
_LOG_KEYS = ("message", "msg", "event", "error")  # where a line of JSON says what happened


class Cluster:
    """A namespace of a cluster.

    Attributes:
        connection: The API server.
        namespace: The namespace.
    """

    def __init__(self, connection: Connection, namespace: str) -> None:
        self.connection, self.namespace = connection, namespace

    @property
    def name(self) -> str:
        """The kubeconfig's context; `in-cluster` within a pod."""
        return self.connection.context

    def pods(self, release: str, group: str | None = None, track: str | None = None) -> list[PodState]:
        """The pods of a release, of one group or track where it is given, by name; those that end included."""
        labels = {GROUP: group, TRACK: track}
        found = self._list("v1", "pods", release, {key: value for key, value in labels.items() if value is not None})
        return [read_pod(pod, self._trouble(pod)) for pod in found]

    def deployments(self, release: str) -> list[DeploymentState]:
        """The Deployments of a release, by name."""
        return [read_deployment(found) for found in self._list("apps/v1", "deployments", release)]

    def services(self, release: str) -> list[ServiceState]:
        """The Services of a release, by name."""
        return [read_service(found) for found in self._list("v1", "services", release)]

    def autoscalers(self, release: str) -> list[AutoscalerState]:
        """The autoscalers of a release, by name."""
        return [read_autoscaler(found) for found in self._list("autoscaling/v2", "horizontalpodautoscalers", release)]

    def replica_sets(self, release: str) -> list[Json]:
        """The ReplicaSets of a release: one for each pod template that a Deployment has had of late."""
        return self._list("apps/v1", "replicasets", release)

    def can(self, verb: str, resource: str, subresource: str = "") -> bool:
        """Whether we may, in the namespace: `can("create", "deployments.apps")`, `can("get", "pods", "log")`."""
        kind, _, api_group = resource.partition(".")
        attributes = {"namespace": self.namespace, "verb": verb, "resource": kind, "group": api_group}
        attributes |= {"subresource": subresource} if subresource else {}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = self.connection.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    def wait(
        self,
        release: str,
        deployments: Sequence[str],
        *,
        timeout_s: float,
        progress: Progress = SILENT,
        fail_fast: bool = True,
    ) -> None:
        """Wait until Deployments are as their latest change wants them.

        Args:
            release: The release.
            deployments: Names of the Deployments.
            timeout_s: How long to wait.
            progress: Is told how many pods are available.
            fail_fast: Whether trouble that waiting does not end, an image that cannot be pulled or a container that
                ends again and again, ends the wait at once.

        Raises:
            RolloutError: which Deployment is not ready, which of its pods tells why, and what it says.
            TransientError: the API server has not answered at all.
        """
        watch = Watch(self, release, tuple(deployments), fail_fast=fail_fast)
        wanted = self._wanted(release, deployments)
        with progress.task(f"rollout: {_told(release, deployments)}", total=wanted, unit="pods") as task:

            def look() -> bool:
                done = watch.look()
                if gain := watch.gained():
                    task.advance(gain)
                return done

            if not self._patiently(look, timeout_s):
                raise watch.late(timeout_s)

    def gone(self, release: str, deployments: Sequence[str], *, timeout_s: float) -> None:
        """Wait until removed Deployments, and all their pods that do not end already, are gone.

        Raises:
            RolloutError: which pod is still there.
        """
        left: list[str] = []

        def look() -> bool:
            left[:] = [found.name for found in self.deployments(release) if found.name in deployments]
            left.extend(pod.name for pod in self.pods(release) if pod.deployment in deployments and not pod.terminating)
            return not left

        if not self._patiently(look, timeout_s):
            raise RolloutError(
                f"{', '.join(left)} should be gone, and is still there after {timeout_s:.0f} s. Look at it with "
                f"`kubectl -n {self.namespace} get all -l {INSTANCE}={release}`.",
                deployment=deployments[0],
                reason="Timeout",
            )

    def _wanted(self, release: str, deployments: Sequence[str]) -> int | None:
        """How many pods Deployments want; None while that is not known."""
        try:
            return sum(state.wanted for state in self.deployments(release) if state.name in deployments)
        except TransientError:
            return None

    @staticmethod
    def _patiently(look: Callable[[], bool], timeout_s: float) -> bool:
        """Whether `look` came true in time; an API server that is away for a while ends nothing."""
        end = time.monotonic() + timeout_s
        while True:
            away: TransientError | None = None
            try:
                if look():
                    return True
            except TransientError as err:
                away = err
            if time.monotonic() >= end:
                if away is not None:
                    raise away
                return False
            time.sleep(_EVERY_S)

    def last_line(self, pod: str, container: str) -> str:
        """The last line that a container has printed, its previous run included; empty where that cannot be seen."""
        path = path_of("v1", "pods", self.namespace, pod, "log")
        for previous in ("false", "true"):
            try:
                log = self.connection.text(path, container=container, tailLines="20", previous=previous)
            except CoachworksError:
                continue
            lines = [line.strip() for line in log.splitlines() if line.strip()]
            if lines:
                return _said(lines[-1])[:_LINE]
        return ""

    def events(self, pod: str) -> list[Json]:
        """What is told about a pod, oldest first; nothing where we may not look."""
        try:
            found = self.connection.get(
                path_of("v1", "events", self.namespace), fieldSelector=f"involvedObject.name={pod}"
            )
        except (InvalidConfigError, NotFoundError):
            return []
        return sorted(found["items"], key=_when)

    def _trouble(self, pod: Json) -> Trouble | None:
        if "deletionTimestamp" in pod["metadata"]:
            return None
        trouble = trouble_of(pod)
        if trouble is None and pod.get("status", {}).get("phase") == "Pending":
            return trouble_in_events(self.events(pod["metadata"]["name"]))
        return trouble

    def _list(self, version: str, resource: str, release: str, labels: dict[str, str] | None = None) -> list[Json]:
        selector = ",".join(f"{key}={value}" for key, value in {INSTANCE: release, **(labels or {})}.items())
        found = self.connection.get(path_of(version, resource, self.namespace), labelSelector=selector)
        return sorted(found["items"], key=lambda item: str(item["metadata"]["name"]))


def open_cluster(namespace: str | None = None) -> Cluster:
    """The cluster that the environment names (kubeconfig, else the service account of a pod), and a namespace in it.

    Args:
        namespace: Its name; None: that of the kubeconfig's context, or of the pod.

    Raises:
        InvalidConfigError: nothing names a cluster, or it does not know us.
        TransientError: it does not answer.
    """
    connection = connect()
    connection.get("/version")
    return Cluster(connection, namespace or connection.namespace)


def _said(line: str) -> str:
    """What a line of a log says; of a line of JSON its message."""
    try:
        told: Any = json.loads(line)
    except ValueError:
        return line
    if isinstance(told, dict):
        return next((str(told[key]) for key in _LOG_KEYS if told.get(key)), line)
    return line


def _when(event: Json) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")


def _told(release: str, deployments: Sequence[str]) -> str:
    """Names of Deployments without what they begin with; the first few of many."""
    short = [name.removeprefix(f"{release}-") for name in deployments]
    most = 3
    return ", ".join(short[:most]) + (f" and {len(short) - most} more" if len(short) > most else "")
