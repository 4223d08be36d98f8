"""The KFP face of evaluate."""

from kfp import dsl

from components import container_images


@dsl.component(base_image=container_images.STEPS, install_kfp_package=False)
def evaluate(
    fleet: str,
    train: str,
    skills: list[str],
    metrics: dsl.Output[dsl.Metrics],
    page: dsl.Output[dsl.HTML],
    confusion: dsl.Output[dsl.ClassificationMetrics],
    replicates: int = 2000,
    confidence: float = 0.95,
    pictures: int = 12,
) -> str:
    """Judge the winners of a lane on the test photos. Returns the key of the result.

    Args:
        fleet: The fleet, as JSON.
        train: Key of the result of train.
        skills: The lane's skills.
        metrics: The figures of each skill.
        page: Every skill's confusion matrix, the worst first.
        confusion: The matrix of the worst skill, as KFP draws it.
        replicates: Bootstrap replicates for the confidence intervals.
        confidence: Confidence of the intervals, in (0, 1).
        pictures: Maximum of photos on a contact sheet.
    """
    from coachworks.task import run_task
    from components.evaluate.dashboard import show

    task = run_task("evaluate", fleet, train, skills, replicates=replicates, confidence=confidence, pictures=pictures)
    show(task, metrics, page, confusion)
    return task.result.key
