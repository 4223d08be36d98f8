"""Problems that keep a pod from starting, read from its status or from events about it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from coachworks.errors import NotFoundError
from coachworks.kubernetes_api.connection import Connection, path_of
from coachworks.kubernetes_api.failures import ForbiddenError

Json = Mapping[str, Any]

CRASHING = "CrashLoopBackOff"
# Reasons for an image that cannot be pulled.
IMAGE_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
# Waiting does not end these: somebody has to change something. ErrImagePull may be one failed attempt of several.
_PERMANENT = (IMAGE_REASONS - {"ErrImagePull"}) | {"CreateContainerConfigError", CRASHING}
_WAITING = _PERMANENT | {"ErrImagePull", "CreateContainerError", "RunContainerError"}
_BEFORE_CONTAINERS = frozenset({"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"})


@dataclass(frozen=True, kw_only=True)
class PodProblem:
    """Problem that keeps a pod from starting.

    Attributes:
        reason: Reason in Kubernetes' words: `ImagePullBackOff`, `Unschedulable`, `FailedMount`.
        message: Message that comes with the reason.
        permanent: Whether it lasts until somebody changes something.
        container: Name of the container; empty if the problem is about the whole pod.
    """

    reason: str
    message: str
    permanent: bool
    container: str = ""


def find_pod_problem(connection: Connection, namespace: str, pod: Json) -> PodProblem | None:
    """Return what keeps a pod from starting; None if there is nothing, or the pod is terminating.

    Args:
        connection: The API server, asked for events about a pod that is pending without a reason in its status.
        namespace: Namespace of the pod.
        pod: The pod as returned by the API server.
    """
    if "deletionTimestamp" in pod["metadata"]:
        return None
    problem = _problem_in_status(pod)
    if problem is None and (pod.get("status") or {}).get("phase") == "Pending":
        return _problem_in_events(read_pod_events(connection, namespace, pod["metadata"]["name"]))
    return problem


def read_pod_events(connection: Connection, namespace: str, pod: str) -> list[Json]:
    """Return the events about a pod, oldest first; none if we have no right to list events."""
    try:
        events = connection.get(path_of("v1", "events", namespace), fieldSelector=f"involvedObject.name={pod}")
    except (ForbiddenError, NotFoundError):
        return []
    return sorted(events["items"], key=_time_of)


def _time_of(event: Json) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")


def _problem_in_status(pod: Json) -> PodProblem | None:
    status = pod.get("status") or {}
    for container in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = CRASHING if _failed_after_restart(container) else waiting.get("reason")
        if reason in _WAITING:
            message = _describe_crash(container) if reason == CRASHING else str(waiting.get("message") or "")
            return PodProblem(
                reason=reason,
                message=message,
                permanent=reason in _PERMANENT,
                container=str(container.get("name", "")),
            )
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return PodProblem(
                reason=condition.get("reason") or "Unschedulable",
                message=condition.get("message") or "",
                permanent=False,
            )
    return None


def _problem_in_events(events: Iterable[Json]) -> PodProblem | None:
    """Return the newest problem of a pod that is scheduled but has no containers yet, such as a volume."""
    for event in reversed([event for event in events if event.get("type") == "Warning"]):
        if event.get("reason") in _BEFORE_CONTAINERS:
            message = str(event.get("message") or "")
            return PodProblem(reason=event["reason"], message=message, permanent=message.endswith("not found"))
    return None


def _failed_after_restart(container: Json) -> bool:
    """Return whether a container failed again after a restart; the kubelet may report the back-off only later."""
    terminated = (container.get("state") or {}).get("terminated") or {}
    return bool(terminated.get("exitCode")) and bool(container.get("restartCount"))


def _describe_crash(container: Json) -> str:
    states = (container.get("state") or {}, container.get("lastState") or {})
    last: Json = next((state["terminated"] for state in states if state.get("terminated")), {})
    end = f"ended with exit status {last['exitCode']}" if "exitCode" in last else "ends again and again"
    if last.get("reason") == "OOMKilled":
        end = "needed more memory than its limit (OOMKilled)"
    return f"the container {container.get('name')} {end}"
