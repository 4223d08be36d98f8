"""State of a release's pods and Deployments, read from the API server's JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coachworks.kubernetes_api import PodProblem

GROUP, TRACK = "coachworks.dev/group", "coachworks.dev/track"
SKILL, VERSION = "coachworks.dev/skill", "coachworks.dev/model-version"  # of a skill's Service
HOOK = "helm.sh/hook"
KEPT = "coachworks.dev/kept"  # ConfigMaps that charts/fleet keeps for pods of earlier revisions
TEMPLATE = "pod-template-hash"
API_KEYS, CERTIFICATE = "api-keys", "certificate"  # volumes of pods
TERMINATING = "Terminating"

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class PodState:
    """State of a pod.

    Attributes:
        name: Its name.
        deployment: Its Deployment.
        group: The group it belongs to: `shared`, or a skill with dedicated pods.
        track: `stable` or `canary`.
        template: Hash of the pod template that it was created from.
        ready: Whether Services send it requests.
        restarts: Number of restarts of its containers.
        phase: `Pending`, `Running`, `Succeeded`, `Failed`; `Terminating` while it shuts down.
        address: Its IP address; empty while it has none.
        problem: Reason and message of what keeps it from starting; empty if there is nothing.
        reason: The reason alone, in Kubernetes' words: `ImagePullBackOff`.
        permanent: Whether the problem lasts until somebody changes something.
        container: The container that the problem is about, else the one that is running.
        keys_secret: Secret with the API keys that its requests must carry; empty: they need none.
        certificate_secret: Secret with its certificate; empty: it speaks plain HTTP.
    """

    name: str
    deployment: str
    group: str
    track: str
    template: str
    ready: bool
    restarts: int
    phase: str
    address: str = ""
    problem: str = ""
    reason: str = ""
    permanent: bool = False
    container: str = ""
    keys_secret: str = ""
    certificate_secret: str = ""

    @property
    def terminating(self) -> bool:
        """True while the pod shuts down."""
        return self.phase == TERMINATING


@dataclass(frozen=True, kw_only=True)
class DeploymentState:
    """State of a Deployment.

    Attributes:
        name: Its name.
        group: The group of its pods: `shared`, or a skill with dedicated pods.
        track: `stable` or `canary`.
        desired: Desired number of pods.
        updated: Number of pods created from its current template.
        ready: Number of ready pods, of any template.
        available: Number of pods that have been ready for `minReadySeconds`.
        total: Number of pods of any template.
        observed: Whether the controller has seen its latest change.
        stalled: Reason and message if the progress deadline of the rollout was exceeded; else empty.
        annotations: Its annotations.
        labels: Its labels.
    """

    name: str
    group: str
    track: str
    desired: int
    updated: int
    ready: int
    available: int
    total: int
    observed: bool
    stalled: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """True if the rollout is complete: all pods are of the current template and available, none is left over."""
        return self.observed and self.updated == self.total == self.available == self.desired


def read_pod(pod: Json, problem: PodProblem | None = None) -> PodState:
    """Return the state of a pod.

    Args:
        pod: The pod.
        problem: What keeps it from starting, if anything.
    """
    meta, status = pod["metadata"], pod.get("status") or {}
    labels = meta.get("labels") or {}
    owner = next((owner["name"] for owner in meta.get("ownerReferences") or () if owner["kind"] == "ReplicaSet"), "")
    template = labels.get(TEMPLATE, "")
    terminating = "deletionTimestamp" in meta
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions") or ()}
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return PodState(
        name=meta["name"],
        deployment=owner.removesuffix(f"-{template}"),
        group=labels.get(GROUP, ""),
        track=labels.get(TRACK, ""),
        template=template,
        ready=conditions.get("Ready") == "True" and not terminating,
        restarts=sum(int(container.get("restartCount") or 0) for container in containers),
        phase=TERMINATING if terminating else status.get("phase", "Unknown"),
        address=status.get("podIP", ""),
        problem=f"{problem.reason}: {problem.message}".removesuffix(": ") if problem else "",
        reason=problem.reason if problem else "",
        permanent=problem.permanent if problem else False,
        container=(problem.container if problem else "") or _current_container(pod, status),
        keys_secret=_mounted_secret(pod, API_KEYS),
        certificate_secret=_mounted_secret(pod, CERTIFICATE),
    )


def _mounted_secret(pod: Json, volume: str) -> str:
    """Return the name of the Secret behind a volume of charts/fleet; empty if the pod has no such volume."""
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    return next((str(each["secret"]["secretName"]) for each in volumes if each["name"] == volume), "")


def _current_container(pod: Json, status: Json) -> str:
    """Return the first init container that has not succeeded, else the first of the other containers."""
    for container in status.get("initContainerStatuses") or ():
        terminated = (container.get("state") or {}).get("terminated") or {}
        if terminated.get("exitCode") != 0:
            return str(container["name"])
    return next((str(container["name"]) for container in (pod.get("spec") or {}).get("containers") or ()), "")


def read_deployment(deployment: Json) -> DeploymentState:
    """Return the state of a Deployment."""
    meta, status = deployment["metadata"], deployment.get("status") or {}
    labels = meta.get("labels") or {}
    observed = int(status.get("observedGeneration") or 0) >= int(meta.get("generation") or 0)
    replicas = deployment["spec"].get("replicas")
    return DeploymentState(
        name=meta["name"],
        group=labels.get(GROUP, ""),
        track=labels.get(TRACK, ""),
        desired=1 if replicas is None else int(replicas),  # Kubernetes' default
        updated=int(status.get("updatedReplicas") or 0),
        ready=int(status.get("readyReplicas") or 0),
        available=int(status.get("availableReplicas") or 0),
        total=int(status.get("replicas") or 0),
        observed=observed,
        stalled=_stalled(status) if observed else "",
        annotations=meta.get("annotations") or {},
        labels=labels,
    )


def _stalled(status: Json) -> str:
    for condition in status.get("conditions") or ():
        if condition["type"] == "Progressing" and condition["status"] == "False":
            return f"{condition.get('reason')}: {condition.get('message')}"
    return ""
