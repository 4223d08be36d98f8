"""The KFP face of register. It looks at the registry, so the pipeline never lets KFP cache it."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.STEPS, install_kfp_package=False)
def register(
    fleet: str,
    evaluate: str,
    skills: list[str],
    min_probability_better: float = 0.9,
    resamples: int = 2000,
    seed: int = 0,
) -> str:
    """Record every candidate in MLflow, register the winners, let a better challenger take over.

    Args:
        fleet: The fleet, as JSON.
        evaluate: Key of the result of evaluate.
        skills: The lane's skills.
        min_probability_better: Share of the resamples in which a challenger must beat the champion, in [0.5, 1].
        resamples: Resamples of the test sets for that comparison.
        seed: Seed of the resamples.

    Returns:
        Key of the result.
    """
    from coachworks.task import run_task

    return run_task(
        "register",
        fleet,
        evaluate,
        skills,
        min_probability_better=min_probability_better,
        resamples=resamples,
        seed=seed,
    ).key
