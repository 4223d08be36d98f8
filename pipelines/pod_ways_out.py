"""Ways out for pods of a run that do not start: what to change in the fleet file, in the namespace, on the cluster."""

import contextlib
import re
from collections.abc import Sequence

from coachworks.errors import TransientError
from coachworks.fleet.cluster import Cluster
from coachworks.kubernetes_api.pod_problems import IMAGE_REASONS
from coachworks.wording import duration
from components import container_images
from pipelines.kubeflow import Kubeflow, StuckPod, open_run_pods
from pipelines.kubeflow.run_pods import QUOTA, STEP_CONTAINER, UNSEEN

_ENTRY = re.compile(r"couldn't find key (\S+) in (Secret|ConfigMap) [^/\s]*/?(\S+)")
_VARIABLE = re.compile(r"\b(AWS|MLFLOW)_[A-Z]")
_OBJECT = re.compile(r'(secret|configmap) "(?:[^"/]*/)?([^"/]+)" not found')


def describe(stuck: StuckPod, cluster: Cluster, namespace: str) -> str:
    """Return one message about a pod that does not start: its name, the reason, the way out."""
    problem = stuck.problem
    message = problem.message.strip().rstrip(".")
    reason = f"{problem.reason}: {message}" if message else problem.reason
    state = "has not been created" if problem.reason == QUOTA else "has not started"
    ways_out = way_out(stuck, cluster, namespace)
    return f"the pod {stuck.name} {state} for {duration(stuck.seconds)}: {reason}. {ways_out}"


def with_source_of_variables(message: str) -> str:
    """Return a message of a step with the place where its pod's environment variables are set, if it names one."""
    if not _VARIABLE.search(message):
        return message
    return f"{message} Pods have these variables from the Secrets and ConfigMaps in `spec.cluster.environment`."


def pod_problems(kubeflow: Kubeflow, cluster: Cluster, run_ids: Sequence[str]) -> dict[str, str]:
    """Return the messages about pods that do not start, by the ids of their runs, as far as we may list pods."""
    pods = open_run_pods(kubeflow.namespace or "kubeflow") if run_ids else None
    problems: dict[str, str] = {}
    if pods is None:
        return problems
    with contextlib.suppress(TransientError):
        for run_id in run_ids:
            if (stuck := pods.stuck(run_id)) is not None:
                problems[run_id] = describe(stuck, cluster, pods.namespace)
    return problems


def way_out(stuck: StuckPod, cluster: Cluster, namespace: str) -> str:
    """Return what to do about a pod that does not start.

    Args:
        stuck: The pod.
        cluster: The fleet file's `spec.cluster`.
        namespace: Namespace of the pod.
    """
    problem = stuck.problem
    if problem.reason in IMAGE_REASONS:
        return _provide_image(stuck, cluster)
    if problem.reason == "Unschedulable":
        return (
            "No node has room or fits: lower `requests`, or correct `nodeSelector` and `tolerations`, in "
            "`spec.cluster.defaults`."
        )
    if problem.reason == QUOTA:
        return (
            f"The quota of the namespace has no room for it (`kubectl -n {namespace} describe quota`): wait for other "
            "pods, lower `requests` and `limits` in `spec.cluster.defaults`, or have the quota raised."
        )
    if problem.reason == UNSEEN:
        return f"Set KUBECONFIG, or have somebody look at `kubectl -n {namespace} get pods` who may."
    return _correct_entry(problem.message, namespace)


def _provide_image(stuck: StuckPod, cluster: Cluster) -> str:
    image, steps = stuck.image, cluster.image or container_images.STEPS
    if image and image.removeprefix("docker.io/") != steps.removeprefix("docker.io/"):
        if stuck.step and stuck.problem.container == STEP_CONTAINER:  # the fleet file has changed since
            return (
                f"The run was submitted with {image}, and the fleet file names {steps}: cancel the run and submit "
                "another one."
            )
        return (
            f"{image} is an image of Kubeflow Pipelines itself: have its administrator make it available to the nodes."
        )
    if cluster.image is None:
        return (
            f"Build {steps} with the commands of `coachworks images`, push it where nodes can pull from, and name it "
            "as `spec.cluster.image`."
        )
    secrets = "" if cluster.image_pull_secrets else " A private registry needs `spec.cluster.imagePullSecrets`."
    return f"Push {steps} where the nodes can pull it, or correct `spec.cluster.image`.{secrets}"


def _correct_entry(message: str, namespace: str) -> str:
    """Return the way out for a container that cannot be created: mostly a missing Secret, or an entry of one."""
    if match := _ENTRY.search(message):
        key, kind, name = match.groups()
        return f"Add {key} to the {kind} {name!r}, or remove it from its `keys` in `spec.cluster.environment`."
    if match := _OBJECT.search(message):
        kind, name = {"secret": "Secret", "configmap": "ConfigMap"}[match[1]], match[2]
        return f"Create the {kind} {name!r} in the namespace {namespace!r}, or correct its name in `spec.cluster`."
    return "Correct the object that it names, in `spec.cluster` or in the namespace."
