"""What is told of a release's objects, read from the API server's JSON: pods, Deployments, Services, autoscalers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coachworks.kubernetes_api import Trouble

GROUP, TRACK = "coachworks.dev/group", "coachworks.dev/track"
HOOK = "helm.sh/hook"
KEPT = "coachworks.dev/kept"  # by charts/fleet, for pods of before
TEMPLATE = "pod-template-hash"
TERMINATING = "Terminating"

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class PodState:
    """A pod of a release.

    Attributes:
        name: Its name.
        deployment: Its Deployment.
        group: The pods it answers with: `shared`, or a skill's own.
        track: `stable` or `canary`.
        template: Hash of the pod template it was made from.
        ready: Whether Services send it requests.
        restarts: How often its containers were started again.
        phase: `Pending`, `Running`, `Succeeded`, `Failed`; `Terminating` while it ends.
        address: Its IP address; empty while it has none.
        trouble: Why it does not get ready; empty where Kubernetes has nothing to say.
        reason: What Kubernetes calls that: `ImagePullBackOff`.
        lasting: Whether waiting is in vain.
        container: The container that the trouble is about, else the one that the pod is at.
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
    trouble: str = ""
    reason: str = ""
    lasting: bool = False
    container: str = ""

    @property
    def terminating(self) -> bool:
        """Whether it ends."""
        return self.phase == TERMINATING


@dataclass(frozen=True, kw_only=True)
class DeploymentState:
    """A Deployment of a release.

    Attributes:
        name: Its name.
        group: The pods it makes: `shared`, or a skill's own.
        track: `stable` or `canary`.
        wanted: How many pods it wants.
        updated: How many pods are made from its present template.
        ready: How many pods are ready, whatever template they are made from.
        available: How many have been ready long enough.
        total: How many it has, old ones included.
        observed: Whether Kubernetes has seen its latest change.
        stalled: Why Kubernetes has given up on its present template; empty where it has not.
        annotations: Its annotations.
        labels: Its labels.
    """

    name: str
    group: str
    track: str
    wanted: int
    updated: int
    ready: int
    available: int
    total: int
    observed: bool
    stalled: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether all its pods, and no others, are made from its present template and available."""
        return self.observed and self.updated == self.total == self.available == self.wanted


@dataclass(frozen=True, kw_only=True)
class ServiceState:
    """A Service of a release.

    Attributes:
        name: Its name.
        port: Its port.
        target_port: Name or number of the pods' port.
        selector: The labels of the pods that it sends requests to.
        annotations: Its annotations.
        labels: Its labels.
    """

    name: str
    port: int
    target_port: str
    selector: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AutoscalerState:
    """A HorizontalPodAutoscaler of a release.

    Attributes:
        name: Its name.
        deployment: The Deployment that it scales.
        least: Fewest pods.
        most: Most pods.
        pods: How many there are now.
        target: Use of the requested CPU that it aims at, in per cent; None where it aims at something else.
        seen: Use of the requested CPU now; None where it is not known (yet).
    """

    name: str
    deployment: str
    least: int
    most: int
    pods: int
    target: int | None
    seen: int | None


def read_pod(pod: Json, trouble: Trouble | None = None) -> PodState:
    """A pod, and what it is in trouble for."""
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
        trouble=f"{trouble.reason}: {trouble.message}".removesuffix(": ") if trouble else "",
        reason=trouble.reason if trouble else "",
        lasting=trouble.lasting if trouble else False,
        container=(trouble.container if trouble else "") or _at_work(pod, status),
    )


def _at_work(pod: Json, status: Json) -> str:
    """The container that a pod is at: an init container that has not ended well, else the first of the others."""
    for container in status.get("initContainerStatuses") or ():
        ended = (container.get("state") or {}).get("terminated") or {}
        if ended.get("exitCode") != 0:
            return str(container["name"])
    return next((str(container["name"]) for container in (pod.get("spec") or {}).get("containers") or ()), "")


def read_deployment(deployment: Json) -> DeploymentState:
    """A Deployment."""
    meta, status = deployment["metadata"], deployment.get("status") or {}
    labels = meta.get("labels") or {}
    observed = int(status.get("observedGeneration") or 0) >= int(meta.get("generation") or 0)
    wanted = deployment["spec"].get("replicas")
    return DeploymentState(
        name=meta["name"],
        group=labels.get(GROUP, ""),
        track=labels.get(TRACK, ""),
        wanted=1 if wanted is None else int(wanted),
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


def read_service(service: Json) -> ServiceState:
    """A Service."""
    meta, spec = service["metadata"], service["spec"]
    port = (spec.get("ports") or [{}])[0]
    return ServiceState(
        name=meta["name"],
        port=int(port.get("port") or 0),
        target_port=str(port.get("targetPort", "")),
        selector=spec.get("selector") or {},
        annotations=meta.get("annotations") or {},
        labels=meta.get("labels") or {},
    )


def read_autoscaler(autoscaler: Json) -> AutoscalerState:
    """A HorizontalPodAutoscaler of `autoscaling/v2`."""
    spec, status = autoscaler["spec"], autoscaler.get("status") or {}
    return AutoscalerState(
        name=autoscaler["metadata"]["name"],
        deployment=spec["scaleTargetRef"]["name"],
        least=int(spec.get("minReplicas") or 1),
        most=int(spec["maxReplicas"]),
        pods=int(status.get("currentReplicas") or 0),
        target=_cpu(spec.get("metrics"), "target"),
        seen=_cpu(status.get("currentMetrics"), "current"),
    )


def _cpu(metrics: Any, which: str) -> int | None:
    for metric in metrics or ():
        resource = metric.get("resource") or {}
        if resource.get("name") == "cpu":
            told = (resource.get(which) or {}).get("averageUtilization")
            return None if told is None else int(told)
    return None
