"""The KFP face of document."""

from kfp import dsl

from components import container_images


@dsl.component(base_image=container_images.STEPS, install_kfp_package=False)
def document(
    fleet: str,
    package: str,
    metrics: dsl.Output[dsl.Metrics],
    summary: dsl.Output[dsl.Markdown],
    matrices: dsl.Output[dsl.HTML],
    examples: int = 6,
) -> str:
    """Write a document per skill and one for the fleet: HTML, PDF and LaTeX source.

    Args:
        fleet: The fleet, as JSON.
        package: Key of the result of package.
        metrics: Skills by status.
        summary: The table of all skills, and the places of all results.
        matrices: The confusion matrices of all skills, the worst first.
        examples: Number of right and of wrong answers shown as photos per skill.

    Returns:
        Key of the result.
    """
    from coachworks.task import run_task
    from components.document.dashboard import show

    task = run_task("document", fleet, package, examples=examples)
    show(task, metrics, summary, matrices)
    return task.result.key
