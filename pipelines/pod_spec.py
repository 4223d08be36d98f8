"""How each step's pod is made: what the fleet file says under `spec.cluster`, in KFP's terms."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from coachworks.context import RUN_VARIABLE
from coachworks.fleet.cluster import ACCELERATED, Cluster, EnvironmentSource, Pod, Quantities
from coachworks.settings import MOUNTED

if TYPE_CHECKING:
    from kfp.dsl import PipelineTask

    from pipelines.fleet import Place

RUN_LABEL = "metadata.labels['pipeline/runid']"  # KFP labels every pod with the id of its run
CERTIFICATES = "/etc/coachworks/ca"
# Who reads where the certificates of a private authority are.
_CERTIFICATE_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "MLFLOW_TRACKING_SERVER_CERT_PATH", "SSL_CERT_FILE")
_RETRIES = 1  # steps retry what is transient themselves; this one is for a pod that is gone


def placement(cluster: Cluster, image: str, *, cached: bool = True) -> "Place":
    """Says of each task how its pod is made.

    All values are constants: resources that are pipeline parameters are compiled wrongly inside loops.

    Args:
        cluster: The fleet file's `spec.cluster`.
        image: The image of all steps.
        cached: Whether KFP may reuse what a task gave for the same parameters, where the pipeline allows it.
    """
    from kfp import kubernetes

    def place(task: "PipelineTask", step: str) -> None:
        task.set_container_image(image)
        if not cached:
            task.set_caching_options(enable_caching=False)
        task.set_retry(num_retries=_RETRIES, backoff_duration="10s", backoff_factor=1.0)
        kubernetes.use_field_path_as_env(task, RUN_VARIABLE, RUN_LABEL)
        kubernetes.set_image_pull_policy(task, "IfNotPresent")
        if cluster.image_pull_secrets:
            kubernetes.set_image_pull_secrets(task, list(cluster.image_pull_secrets))
        for place, source in enumerate(cluster.environment):
            _take_environment(task, place, source)
        _trust(task, cluster)
        _size(task, cluster.pod(step), accelerated=step in ACCELERATED)

    return place


def _take_environment(task: "PipelineTask", place: int, source: EnvironmentSource) -> None:
    """Entries that are named must be there, and come as variables; else all come as files, which the task reads.

    A variable that may be missing would do for the latter, but older backends take "optional" for "must be there".
    """
    from kfp import kubernetes

    name = str(source.secret or source.config_map)
    if source.keys is not None:
        told = kubernetes.use_secret_as_env if source.secret else kubernetes.use_config_map_as_env
        told(task, name, {key: key for key in source.keys})
    else:
        mounted = kubernetes.use_secret_as_volume if source.secret else kubernetes.use_config_map_as_volume
        mounted(task, name, mount_path=f"{MOUNTED}/{place}-{name}")


def _trust(task: "PipelineTask", cluster: Cluster) -> None:
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


def _size(task: "PipelineTask", pod: Pod, *, accelerated: bool) -> None:
    from kfp import kubernetes

    _ask(pod.requests, task.set_cpu_request, task.set_memory_request)
    _ask(pod.limits, task.set_cpu_limit, task.set_memory_limit)
    for label, value in pod.node_selector.items():
        kubernetes.add_node_selector(task, label, value)
    for toleration in pod.tolerations:
        kubernetes.add_toleration(task, **toleration.model_dump(exclude_none=True))
    if accelerated and pod.accelerator is not None:
        task.set_accelerator_type(pod.accelerator.type)
        task.set_accelerator_limit(pod.accelerator.count)


def _ask(quantities: Quantities, cpu: Callable[[str], object], memory: Callable[[str], object]) -> None:
    if quantities.cpu is not None:
        cpu(quantities.cpu)
    if quantities.memory is not None:
        memory(quantities.memory)
