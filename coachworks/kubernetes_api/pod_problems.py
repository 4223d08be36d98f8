"""Why a pod does not start, as Kubernetes tells it: in its status, or in events about it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

CRASHING = "CrashLoopBackOff"
# Waiting for these ends only when somebody changes something.
_LASTING = {
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    CRASHING,
}
_WAITING = {*_LASTING, "ErrImagePull", "CreateContainerError", "RunContainerError"}
_VOLUMES = {"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"}


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Why a pod does not start.

    Attributes:
        reason: What Kubernetes calls it: `ImagePullBackOff`, `Unschedulable`, `FailedMount`.
        message: What it says.
        lasting: Whether waiting is in vain.
        container: The container it is about; empty where it is about the whole pod.
    """

    reason: str
    message: str
    lasting: bool
    container: str = ""


def trouble_of(pod: Mapping[str, Any]) -> Trouble | None:
    """What the status of a pod complains of, or None.

    Args:
        pod: The pod as the API server's JSON has it.
    """
    status = pod.get("status") or {}
    for container in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = CRASHING if _ended_again(container) else waiting.get("reason")
        if reason in _WAITING:
            message = _crash(container) if reason == CRASHING else str(waiting.get("message") or "")
            return Trouble(
                reason=reason, message=message, lasting=reason in _LASTING, container=str(container.get("name", ""))
            )
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return Trouble(
                reason=condition.get("reason") or "Unschedulable",
                message=condition.get("message") or "",
                lasting=False,
            )
    return None


def trouble_in_events(events: Iterable[Mapping[str, Any]]) -> Trouble | None:
    """What hinders a pod that has its node but no containers yet: a volume that cannot be mounted.

    Args:
        events: Events about the pod, oldest first, as the API server's JSON has them.
    """
    for event in reversed([event for event in events if event.get("type") == "Warning"]):
        if event.get("reason") in _VOLUMES:
            message = str(event.get("message") or "")
            return Trouble(reason=event["reason"], message=message, lasting=message.endswith("not found"))
    return None


def _ended_again(container: Mapping[str, Any]) -> bool:
    """Whether a container has failed after it was started again: a kubelet may be late to say that it backs off."""
    ended = (container.get("state") or {}).get("terminated") or {}
    return bool(ended.get("exitCode")) and bool(container.get("restartCount"))


def _crash(container: Mapping[str, Any]) -> str:
    """How a container ended that is started again and again."""
    states = (container.get("state") or {}, container.get("lastState") or {})
    last: Mapping[str, Any] = next((state["terminated"] for state in states if state.get("terminated")), {})
    ended = f"ended with exit status {last['exitCode']}" if "exitCode" in last else "ends again and again"
    if last.get("reason") == "OOMKilled":
        ended = "needed more memory than its limit (OOMKilled)"
    return f"the container {container.get('name')} {ended}"
