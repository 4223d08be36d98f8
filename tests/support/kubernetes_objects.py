"""Deployments, ReplicaSets and pods of the release `cars`, as an API server returns them."""

from typing import Any

CORE, APPS = "/api/v1/namespaces/models", "/apis/apps/v1/namespaces/models"
DEPLOYMENT, HASH = "cars-shared", "7d4b9c6f5"
LABELS = {
    "app.kubernetes.io/instance": "cars",
    "coachworks.dev/group": "shared",
    "coachworks.dev/track": "stable",
}
# States of pods.
RUNNING = {"phase": "Running", "podIP": "10.244.0.9", "conditions": [{"type": "Ready", "status": "True"}]}
UNREADY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}
# State of a container.
CRASHED = {"lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}
# State of a Deployment whose rollout is in progress.
ROLLING = {"updatedReplicas": 1, "availableReplicas": 2, "replicas": 3}


def deployment(name: str = DEPLOYMENT, revision: str = "2", desired: int = 2, **status: Any) -> dict[str, Any]:
    """A Deployment whose rollout is complete, except for `status`."""
    complete = {"observedGeneration": 4, "replicas": desired, "updatedReplicas": desired}
    complete |= {"readyReplicas": desired, "availableReplicas": desired}
    return {
        "metadata": {
            "name": name,
            "generation": 4,
            "labels": LABELS,
            "annotations": {"deployment.kubernetes.io/revision": revision, "coachworks.dev/release": "3f2a"},
        },
        "spec": {"replicas": desired},
        "status": complete | status,
    }


def replica_set(name: str = DEPLOYMENT, template: str = HASH, revision: str = "2", **status: Any) -> dict[str, Any]:
    """The ReplicaSet of a Deployment's revision."""
    return {
        "metadata": {
            "name": f"{name}-{template}",
            "labels": {**LABELS, "pod-template-hash": template},
            "annotations": {"deployment.kubernetes.io/revision": revision},
            "ownerReferences": [{"kind": "Deployment", "name": name}],
        },
        "status": status,
    }


def pod(number: int = 1, name: str = DEPLOYMENT, template: str = HASH, **status: Any) -> dict[str, Any]:
    """A pending pod of a Deployment, except for `status`."""
    return {
        "metadata": {
            "name": f"{name}-{template}-{number}",
            "labels": {**LABELS, "pod-template-hash": template},
            "ownerReferences": [{"kind": "ReplicaSet", "name": f"{name}-{template}"}],
        },
        "spec": {"containers": [{"name": "answers"}]},
        "status": {"phase": "Pending"} | status,
    }


def waiting(reason: str, message: str = "", *, name: str = "answers", **more: Any) -> dict[str, Any]:
    """The status of a container that waits for a reason."""
    return {"name": name, "restartCount": 3, "state": {"waiting": {"reason": reason, "message": message}}} | more
