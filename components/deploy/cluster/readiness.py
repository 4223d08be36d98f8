"""Whether Deployments get ready, and which pod tells why they do not."""

from collections import Counter
from typing import TYPE_CHECKING

from coachworks.errors import CoachworksError
from coachworks.kubernetes_api.pod_problems import CRASHING
from components.deploy.cluster.state import TEMPLATE, DeploymentState, Json, PodState

if TYPE_CHECKING:
    from components.deploy.cluster.namespace import Cluster

_REVISION = "deployment.kubernetes.io/revision"
_SURE = 2  # observations: the first may be of a moment that is over
_IMAGE = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}


class RolloutError(CoachworksError):
    """A Deployment does not get ready.

    Attributes:
        deployment: Which.
        pod: Its pod that tells why; empty where none does.
        reason: What Kubernetes calls it (`ImagePullBackOff`), or `Timeout`.
        lasting: Whether waiting was in vain.
    """

    def __init__(
        self, message: str, *, deployment: str, pod: str = "", reason: str = "", lasting: bool = False
    ) -> None:
        super().__init__(message)
        self.deployment, self.pod, self.reason, self.lasting = deployment, pod, reason, lasting


class Watch:
    """A look at Deployments, again and again.

    Args:
        cluster: Where they are.
        release: Their release.
        names: Their names.
        fail_fast: Whether trouble that waiting does not end is an error at once.
    """

    def __init__(self, cluster: "Cluster", release: str, names: tuple[str, ...], *, fail_fast: bool) -> None:
        self._cluster, self._release, self._names, self._fail_fast = cluster, release, names, fail_fast
        self._seen: Counter[tuple[str, str]] = Counter()
        self._unfinished: list[DeploymentState] = []
        self._available = self._told = 0

    def look(self) -> bool:
        """Whether all of them are done.

        Raises:
            RolloutError: they will not be.
        """
        found = {state.name: state for state in self._cluster.deployments(self._release)}
        for name in self._names:
            if name not in found:
                raise RolloutError(
                    f"there is no Deployment {name} in the namespace {self._cluster.namespace}: somebody removed it.",
                    deployment=name,
                    reason="NotFound",
                    lasting=True,
                )
        states = [found[name] for name in self._names]
        self._available = sum(min(state.available, state.updated) for state in states)
        self._unfinished = [state for state in states if not state.done]
        if self._unfinished and self._fail_fast:
            self._refuse_lasting()
        return not self._unfinished

    def gained(self) -> int:
        """How many pods more than ever before are available."""
        gain = max(0, self._available - self._told)
        self._told += gain
        return gain

    def late(self, timeout_s: float) -> RolloutError:
        """The error for Deployments that are not done in time."""
        state = self._unfinished[0]
        pods = [pod for pod in self._pods_of_present(state) if not pod.ready]
        if (refused := _refusal(self._present(state))) and not pods:
            return _error(self._cluster, state, refused, reason="FailedCreate")
        told = f"{state.available} of {state.wanted} pods are available after {timeout_s:.0f} s"
        if not pods:
            return _error(self._cluster, state, told, reason="Timeout")
        troubled = next((pod for pod in pods if pod.trouble), pods[0])
        reason = troubled.reason or "Timeout"
        return _error(self._cluster, state, f"{told}; {self._explain(troubled)}", pod=troubled.name, reason=reason)

    def _refuse_lasting(self) -> None:
        replica_sets = self._cluster.replica_sets(self._release)
        pods = self._cluster.pods(self._release)
        seen: Counter[tuple[str, str]] = Counter()
        for state in self._unfinished:
            if not state.observed:
                continue
            present = _present(state, replica_sets)
            for pod in _of(state, present, pods):
                if pod.lasting:
                    seen[pod.name, pod.reason] = self._seen[pod.name, pod.reason] + 1
                    if seen[pod.name, pod.reason] >= _SURE:
                        said = self._explain(pod)
                        raise _error(self._cluster, state, said, pod=pod.name, reason=pod.reason, lasting=True)
            if refused := _refusal(present):
                seen[state.name, refused] = self._seen[state.name, refused] + 1
                if seen[state.name, refused] >= _SURE:
                    raise _error(self._cluster, state, refused, reason="FailedCreate", lasting=True)
            if state.stalled:
                raise _error(self._cluster, state, state.stalled, reason="ProgressDeadlineExceeded", lasting=True)
        self._seen = seen

    def _present(self, state: DeploymentState) -> Json | None:
        return _present(state, self._cluster.replica_sets(self._release))

    def _pods_of_present(self, state: DeploymentState) -> list[PodState]:
        return _of(state, self._present(state), self._cluster.pods(self._release))

    def _explain(self, pod: PodState) -> str:
        """What a pod is in trouble for, and what it said last."""
        said = f"pod {pod.name}: {pod.trouble or self._unready(pod)}"
        if pod.reason == CRASHING or not pod.trouble:
            line = self._cluster.last_line(pod.name, pod.container)
            said += f"; it said last: {line}" if line else ""
        return said

    def _unready(self, pod: PodState) -> str:
        """Why a pod without trouble is not ready: what its probes met."""
        for event in reversed(self._cluster.events(pod.name)):
            if event.get("reason") == "Unhealthy":
                return str(event.get("message") or "").strip()
        return f"it is {pod.phase.lower()}, but not ready"


def _present(state: DeploymentState, replica_sets: list[Json]) -> Json | None:
    """The ReplicaSet of a Deployment's present template."""
    for made in replica_sets:
        meta = made["metadata"]
        owners = {owner["name"] for owner in meta.get("ownerReferences") or () if owner["kind"] == "Deployment"}
        revision = (meta.get("annotations") or {}).get(_REVISION)
        if state.name in owners and revision == state.annotations.get(_REVISION):
            return made
    return None


def _of(state: DeploymentState, present: Json | None, pods: list[PodState]) -> list[PodState]:
    """The pods that a Deployment made from its present template, but those that end."""
    template = ((present or {}).get("metadata", {}).get("labels") or {}).get(TEMPLATE)
    return [pod for pod in pods if pod.deployment == state.name and pod.template == template and not pod.terminating]


def _refusal(replica_set: Json | None) -> str:
    """Why Kubernetes makes no pod of a template: a quota, a policy, a service account that is not there."""
    for condition in ((replica_set or {}).get("status") or {}).get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return f"Kubernetes makes no pod: {condition.get('message')}"
    return ""


def _error(
    cluster: "Cluster", state: DeploymentState, said: str, *, reason: str, pod: str = "", lasting: bool = False
) -> RolloutError:
    return RolloutError(
        f"{state.name} does not get ready: {said.rstrip('.')}. {_way_out(cluster, state, reason, pod)}",
        deployment=state.name,
        pod=pod,
        reason=reason,
        lasting=lasting,
    )


def _way_out(cluster: "Cluster", state: DeploymentState, reason: str, pod: str) -> str:
    kubectl = f"kubectl -n {cluster.namespace}"
    if reason in _IMAGE:
        return (
            "Push the image where the nodes can pull it, or correct `image`; a private registry needs "
            "`imagePullSecrets`."
        )
    if reason == "CreateContainerConfigError":
        return "Create the Secret or ConfigMap, or the entry, that it names."
    if reason == "Unschedulable":
        return "No node has room or fits: lower `cpu`, `memory` or `replicas`, or add a node."
    if reason == "FailedCreate":
        return f"`{kubectl} describe rs -l pod-template-hash` of {state.name} tells more."
    if reason == CRASHING:
        return f"`{kubectl} logs {pod} --all-containers` tells more, while the pod is there."
    return f"`{kubectl} describe {f'pod {pod}' if pod else f'deployment {state.name}'}` tells more."
