"""Pods of the steps: translation of the fleet file's `spec.cluster` into settings of KFP tasks."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from coachworks.fleet.cluster import ACCELERATED, Cluster, EnvironmentSource, Pod, Quantities
from coachworks.runs import RUN_VARIABLE
from coachworks.settings import MOUNTED
from pipelines.kubeflow.run_pods import STEP_LABEL

if TYPE_CHECKING:
    from kfp.dsl import PipelineConfig, PipelineTask

    from pipelines.fleet import Place

RUN_LABEL = "metadata.labels['pipeline/runid']"  # KFP labels every pod with the id of its run
CERTIFICATES = "/etc/coachworks/ca"
# Variables from which boto3, requests, MLflow and OpenSSL read the path of the certificates.
_CERTIFICATE_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "MLFLOW_TRACKING_SERVER_CERT_PATH", "SSL_CERT_FILE")
_RETRIES = 1  # for a pod that was deleted or evicted; steps retry transient errors themselves


def placement(cluster: Cluster, image: str, *, cached: bool = True) -> "Place":
    """Return a function that sets the pod of a task.

    All values are constants: resources that are pipeline parameters are compiled wrongly inside loops.

    Args:
        cluster: The fleet file's `spec.cluster`.
        image: The image of all steps.
        cached: Whether KFP may reuse cached outputs of tasks for which the pipeline allows it.
    """
    from kfp import kubernetes

    def place(task: "PipelineTask", step: str) -> None:
        task.set_container_image(image)
        if not cached:
            task.set_caching_options(enable_caching=False)
        task.set_retry(num_retries=_RETRIES, backoff_duration="10s", backoff_factor=1.0)
        kubernetes.use_field_path_as_env(task, RUN_VARIABLE, RUN_LABEL)
        kubernetes.add_pod_label(task, STEP_LABEL, step)
        kubernetes.set_image_pull_policy(task, "IfNotPresent")
        if cluster.image_pull_secrets:
            kubernetes.set_image_pull_secrets(task, list(cluster.image_pull_secrets))
        for index, source in enumerate(cluster.environment):
            _set_environment(task, index, source)
        _mount_certificates(task, cluster)
        _set_resources(task, cluster.pod(step), accelerated=step in ACCELERATED)

    return place


def run_config(cluster: Cluster) -> "PipelineConfig":
    """Return the settings of the whole run: when its pods are deleted."""
    from kfp.dsl import PipelineConfig

    keep = cluster.keep_pods
    return PipelineConfig(
        ttl_seconds_after_success=keep.after_success_seconds, ttl_seconds_after_failure=keep.after_failure_seconds
    )


def _set_environment(task: "PipelineTask", index: int, source: EnvironmentSource) -> None:
    """Set the entries of a Secret or ConfigMap as variables if they are named, else mount all of them as files.

    The task turns the files into variables. Optional variables would be simpler, but older backends of KFP ignore
    `optional` and refuse a pod without the entry.
    """
    from kfp import kubernetes

    name = str(source.secret or source.config_map)
    if source.keys is not None:
        set_variables = kubernetes.use_secret_as_env if source.secret else kubernetes.use_config_map_as_env
        set_variables(task, name, {key: key for key in source.keys})
    else:
        mount = kubernetes.use_secret_as_volume if source.secret else kubernetes.use_config_map_as_volume
        mount(task, name, mount_path=f"{MOUNTED}/{index}-{name}")


def _mount_certificates(task: "PipelineTask", cluster: Cluster) -> None:
    from kfp import kubernetes

    authority = cluster.certificate_authority
    if authority is None:
        return
    if authority.secret is not None:
        kubernetes.use_secret_as_volume(task, authority.secret, mount_path=CERTIFICATES)
    else:
        kubernetes.use_config_map_as_volume(task, str(authority.config_map), mount_path=CERTIFICATES)
    for name in _CERTIFICATE_VARIABLES:
        task.set_env_variable(name, f"{CERTIFICATES}/{authority.key}")


def _set_resources(task: "PipelineTask", pod: Pod, *, accelerated: bool) -> None:
    from kfp import kubernetes

    _set_quantities(pod.requests, task.set_cpu_request, task.set_memory_request)
    _set_quantities(pod.limits, task.set_cpu_limit, task.set_memory_limit)
    for label, value in pod.node_selector.items():
        kubernetes.add_node_selector(task, label, value)
    for toleration in pod.tolerations:
        kubernetes.add_toleration(task, **toleration.model_dump(exclude_none=True))
    if accelerated and pod.accelerator is not None:
        task.set_accelerator_type(pod.accelerator.type)
        task.set_accelerator_limit(pod.accelerator.count)


def _set_quantities(quantities: Quantities, cpu: Callable[[str], object], memory: Callable[[str], object]) -> None:
    if quantities.cpu is not None:
        cpu(quantities.cpu)
    if quantities.memory is not None:
        memory(quantities.memory)
