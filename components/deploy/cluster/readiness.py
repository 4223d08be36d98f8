"""Waiting until Deployments are ready or gone, and why they do not get ready."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from coachworks.errors import CoachworksError, TransientError
from coachworks.kubernetes_api.pod_problems import CRASHING, IMAGE_REASONS
from coachworks.progress import SILENT, Progress
from coachworks.wording import listed
from components.deploy.cluster.namespace import INSTANCE, Cluster
from components.deploy.cluster.state import TEMPLATE, DeploymentState, Json, PodState

_REVISION = "deployment.kubernetes.io/revision"
_INTERVAL_S = 1.0
_MIN_SIGHTINGS = 2  # of a permanent problem in a row: a single one may be out of date


class RolloutError(CoachworksError):
    """A Deployment does not get ready.

    Attributes:
        deployment: Name of the Deployment.
        pod: Name of the pod that shows the cause; empty if none does.
        reason: Reason in Kubernetes' words (`ImagePullBackOff`), or `Timeout`.
        permanent: Whether waiting longer is pointless.
    """

    def __init__(
        self, message: str, *, deployment: str, pod: str = "", reason: str = "", permanent: bool = False
    ) -> None:
        super().__init__(message)
        self.deployment, self.pod, self.reason, self.permanent = deployment, pod, reason, permanent


def wait_until_ready(
    cluster: Cluster,
    deployments: Iterable[str],
    *,
    autoscaled: Mapping[str, int] | None = None,
    enough: Mapping[str, int] | None = None,
    timeout_s: float,
    progress: Progress = SILENT,
    fail_fast: bool = True,
) -> None:
    """Wait until the rollouts of Deployments are complete.

    Args:
        cluster: The release.
        deployments: Names of the Deployments.
        autoscaled: The fewest pods that an autoscaler keeps, by the name of its Deployment: until it has asked for them
            and they are available, the rollout is not complete.
        enough: Number of available pods of the current template that is enough, by the name of a Deployment, though
            more are asked for.
        timeout_s: Longest wait in seconds.
        progress: Receives the number of available pods.
        fail_fast: Whether a permanent problem, such as an image that cannot be pulled or a container that crashes
            again and again, ends the wait at once.

    Raises:
        RolloutError: a Deployment is not ready; names it, the pod that shows the cause, and its last log line.
        TransientError: the API server does not answer.
    """
    names = tuple(deployments)
    rollouts = _Rollouts(cluster, names, autoscaled or {}, enough or {}, fail_fast=fail_fast)
    total = rollouts.desired_pods()
    short = listed((name.removeprefix(f"{cluster.release}-") for name in names), most=3)
    with progress.task(f"rollout: {short}", total=total, unit="pods") as task:

        def complete() -> bool:
            done = rollouts.complete()
            if newly_available := rollouts.newly_available():
                task.advance(newly_available)
            return done

        if not _poll(complete, timeout_s):
            raise rollouts.timeout_error(timeout_s)


def wait_until_gone(cluster: Cluster, deployments: Sequence[str], *, timeout_s: float) -> None:
    """Wait until removed Deployments are gone, and all their pods are gone or terminating.

    Raises:
        RolloutError: a Deployment or pod still exists.
    """
    remaining: list[str] = []

    def gone() -> bool:
        remaining[:] = [state.name for state in cluster.deployments() if state.name in deployments]
        remaining.extend(pod.name for pod in cluster.pods() if pod.deployment in deployments and not pod.terminating)
        return not remaining

    if not _poll(gone, timeout_s):
        raise RolloutError(
            f"{', '.join(remaining)} should be gone and still exists after {timeout_s:.0f} s. Look at it with "
            f"`kubectl -n {cluster.namespace} get all -l {INSTANCE}={cluster.release}`.",
            deployment=deployments[0],
            reason="Timeout",
        )


def _poll(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Return whether `condition` became true in time.

    A rollout outlives a restart of the API server, so that TransientError is raised only if it is the last result.
    """
    end = time.monotonic() + timeout_s
    while True:
        failure: TransientError | None = None
        try:
            if condition():
                return True
        except TransientError as err:
            failure = err
        if time.monotonic() >= end:
            if failure is not None:
                raise failure
            return False
        time.sleep(_INTERVAL_S)


class _Rollouts:
    """Rollouts of Deployments, read again at each poll.

    Args:
        cluster: The release.
        names: Names of the Deployments.
        fewest: The fewest pods that an autoscaler keeps, by the name of its Deployment.
        enough: Number of available pods that is enough, by the name of a Deployment.
        fail_fast: Whether a permanent problem is an error at once.
    """

    def __init__(
        self,
        cluster: Cluster,
        names: tuple[str, ...],
        fewest: Mapping[str, int],
        enough: Mapping[str, int],
        *,
        fail_fast: bool,
    ) -> None:
        self._cluster, self._names, self._fail_fast = cluster, names, fail_fast
        self._fewest, self._enough = fewest, enough
        self._sightings: Counter[tuple[str, str]] = Counter()
        self._incomplete: list[DeploymentState] = []
        self._available = self._reported = 0

    def desired_pods(self) -> int | None:
        """Return the total of the Deployments' desired pods; None while the API server does not answer."""
        try:
            return sum(state.desired for state in self._states().values() if state.name in self._names)
        except TransientError:
            return None

    def complete(self) -> bool:
        """Read the Deployments and return whether all rollouts are complete.

        Raises:
            RolloutError: a Deployment was removed or, with `fail_fast`, has a permanent problem.
        """
        by_name = self._states()
        for name in self._names:
            if name not in by_name:
                raise RolloutError(
                    f"there is no Deployment {name} in the namespace {self._cluster.namespace}: somebody removed it.",
                    deployment=name,
                    reason="NotFound",
                    permanent=True,
                )
        states = [by_name[name] for name in self._names]
        self._available = sum(min(state.available, state.updated) for state in states)
        self._incomplete = [state for state in states if not state.complete and not self._suffices(state)]
        if self._incomplete and self._fail_fast:
            self._raise_permanent()
        return not self._incomplete

    def _suffices(self, state: DeploymentState) -> bool:
        enough = self._enough.get(state.name)
        return enough is not None and state.observed and state.updated == state.total and state.available >= enough

    def _states(self) -> dict[str, DeploymentState]:
        """Return the Deployments by name, those that are autoscaled with at least the pods that are to be kept."""
        return {
            state.name: replace(state, desired=max(state.desired, self._fewest.get(state.name, 0)))
            for state in self._cluster.deployments()
        }

    def newly_available(self) -> int:
        """Number of available pods beyond those reported before."""
        gain = max(0, self._available - self._reported)
        self._reported += gain
        return gain

    def timeout_error(self, timeout_s: float) -> RolloutError:
        """Return the error for the first Deployment that is not ready in time."""
        state = self._incomplete[0]
        current = _current(state, self._cluster.replica_sets())
        pods = [pod for pod in _pods_of(state, current, self._cluster.pods()) if not pod.ready]
        if (failure := _creation_failure(current)) and not pods:
            return _error(self._cluster, state, failure, reason="FailedCreate")
        message = f"{state.available} of {state.desired} pods are available after {timeout_s:.0f} s"
        if not pods and state.total < state.desired and state.name in self._fewest:
            return _error(self._cluster, state, f"{message}; its autoscaler asks for no more", reason="Autoscaler")
        if not pods:
            return _error(self._cluster, state, message, reason="Timeout")
        pod = next((pod for pod in pods if pod.problem), pods[0])
        reason = pod.reason or "Timeout"
        return _error(self._cluster, state, f"{message}; {self._explain(pod)}", pod=pod.name, reason=reason)

    def _raise_permanent(self) -> None:
        replica_sets = self._cluster.replica_sets()
        pods = self._cluster.pods()
        sightings: Counter[tuple[str, str]] = Counter()
        for state in self._incomplete:
            if not state.observed:
                continue
            current = _current(state, replica_sets)
            for pod in _pods_of(state, current, pods):
                if pod.permanent:
                    sightings[pod.name, pod.reason] = self._sightings[pod.name, pod.reason] + 1
                    if sightings[pod.name, pod.reason] >= _MIN_SIGHTINGS:
                        message = self._explain(pod)
                        raise _error(self._cluster, state, message, pod=pod.name, reason=pod.reason, permanent=True)
            if failure := _creation_failure(current):
                sightings[state.name, failure] = self._sightings[state.name, failure] + 1
                if sightings[state.name, failure] >= _MIN_SIGHTINGS:
                    raise _error(self._cluster, state, failure, reason="FailedCreate", permanent=True)
            if state.stalled:
                raise _error(self._cluster, state, state.stalled, reason="ProgressDeadlineExceeded", permanent=True)
        self._sightings = sightings

    def _explain(self, pod: PodState) -> str:
        """Return a pod's problem and its last log line."""
        message = f"pod {pod.name}: {pod.problem or self._why_unready(pod)}"
        if pod.reason == CRASHING or not pod.problem:
            line = self._cluster.last_line(pod.name, pod.container)
            message += f"; its last log line: {line}" if line else ""
        return message

    def _why_unready(self, pod: PodState) -> str:
        """Return the result of the failing probe of a pod that has started."""
        for event in reversed(self._cluster.events(pod.name)):
            if event.get("reason") == "Unhealthy":
                return str(event.get("message") or "").strip()
        return f"it is {pod.phase.lower()}, but not ready"


def _current(state: DeploymentState, replica_sets: list[Json]) -> Json | None:
    """Return the ReplicaSet of a Deployment's current pod template."""
    for replica_set in replica_sets:
        meta = replica_set["metadata"]
        owners = {owner["name"] for owner in meta.get("ownerReferences") or () if owner["kind"] == "Deployment"}
        revision = (meta.get("annotations") or {}).get(_REVISION)
        if state.name in owners and revision == state.annotations.get(_REVISION):
            return replica_set
    return None


def _pods_of(state: DeploymentState, replica_set: Json | None, pods: list[PodState]) -> list[PodState]:
    """Return the pods that a Deployment created through a ReplicaSet, without terminating ones."""
    template = ((replica_set or {}).get("metadata", {}).get("labels") or {}).get(TEMPLATE)
    return [pod for pod in pods if pod.deployment == state.name and pod.template == template and not pod.terminating]


def _creation_failure(replica_set: Json | None) -> str:
    """Return why no pod can be created: a quota, a policy, a missing service account; empty if none of these."""
    for condition in ((replica_set or {}).get("status") or {}).get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return f"Kubernetes creates no pod: {condition.get('message')}"
    return ""


def _error(
    cluster: Cluster, state: DeploymentState, message: str, *, reason: str, pod: str = "", permanent: bool = False
) -> RolloutError:
    return RolloutError(
        f"{state.name} does not get ready: {message.rstrip('.')}. {_way_out(cluster, state, reason, pod)}",
        deployment=state.name,
        pod=pod,
        reason=reason,
        permanent=permanent,
    )


def _way_out(cluster: Cluster, state: DeploymentState, reason: str, pod: str) -> str:
    kubectl = f"kubectl -n {cluster.namespace}"
    if reason in IMAGE_REASONS:
        return (
            "Push the image where the nodes can pull it, or correct `image`; a private registry needs "
            "`imagePullSecrets`."
        )
    if reason == "CreateContainerConfigError":
        return "Create the Secret or ConfigMap, or the entry, that it names."
    if reason == "Unschedulable":
        return "No node has room or fits: lower `cpu`, `memory` or `replicas`, or add a node."
    if reason == "Autoscaler":
        return f"`{kubectl} describe hpa {state.name}` shows more."
    if reason == "FailedCreate":
        return f"`{kubectl} describe rs -l pod-template-hash` of {state.name} shows more."
    if reason == CRASHING:
        return f"`{kubectl} logs {pod} --all-containers` shows more, as long as the pod exists."
    return f"`{kubectl} describe {f'pod {pod}' if pod else f'deployment {state.name}'}` shows more."
