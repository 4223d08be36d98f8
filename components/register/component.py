"""The KFP face of register. Its outcome depends on the registry, so KFP must not cache it."""

from kfp import dsl

from components import container_images


@dsl.component(base_image=container_images.STEPS, install_kfp_package=False)
def register(
    fleet: str,
    evaluate: str,
    skills: list[str],
    metrics: dsl.Output[dsl.Metrics],
    links: dsl.Output[dsl.Markdown],
    min_probability_better: float = 0.9,
    replicates: int = 2000,
    seed: int = 0,
) -> str:
    """Record candidates in MLflow, register winners, promote better challengers. Returns the key of the result.

    Args:
        fleet: The fleet, as JSON.
        evaluate: Key of the result of evaluate.
        skills: The lane's skills.
        metrics: Skills by status, and the champion's version of each.
        links: The registration of each skill, with links to MLflow.
        min_probability_better: Share of the replicates in which a challenger must beat the champion, in [0.5, 1].
        replicates: Bootstrap replicates of the test sets for that comparison.
        seed: Seed of the replicates.
    """
    from coachworks.task import run_task
    from components.register.dashboard import show

    settings = {"min_probability_better": min_probability_better, "replicates": replicates, "seed": seed}
    task = run_task("register", fleet, evaluate, skills, **settings)
    show(task, metrics, links)
    return task.result.key
