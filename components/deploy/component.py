"""The KFP face of deploy."""

from kfp import dsl

from components import container_images


@dsl.component(base_image=container_images.STEPS, install_kfp_package=False)
def deploy(
    fleet: str, document: str, page: dsl.Output[dsl.Markdown], metrics: dsl.Output[dsl.Metrics], timeout_s: int = 600
) -> str:
    """Deploy the champions to Kubernetes.

    Args:
        fleet: The fleet, as JSON.
        document: Key of the result of document.
        page: The deployed versions, and the stages of the rollout.
        metrics: Number of deployed skills, and the release's revision.
        timeout_s: Time that pods may take to become ready, in seconds.

    Returns:
        Key of the result.
    """
    from coachworks.task import run_task
    from components.deploy.dashboard import show

    task = run_task("deploy", fleet, document, timeout_s=timeout_s)
    show(task, metrics, page)
    return task.result.key
