"""The KFP face of evaluate."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.STEPS, install_kfp_package=False)
def evaluate(
    fleet: str,
    train: str,
    skills: list,  # type: ignore[type-arg]
    metrics: dsl.Output[dsl.Metrics],
    page: dsl.Output[dsl.HTML],
    replicates: int = 2000,
    confidence: float = 0.95,
    bins: int = 15,
    pictures: int = 12,
    seed: int = 0,
) -> str:
    """Judge the winners of a lane on the test photos.

    Args:
        fleet: The fleet, as JSON.
        train: Key of the result of train.
        skills: The lane: names of its skills.
        metrics: Balanced accuracy of each skill, for the dashboard.
        page: The page of evaluate, for the dashboard.
        replicates: Bootstrap replicates that the confidence intervals rest on.
        confidence: Confidence of the intervals, in (0, 1).
        bins: Bins of confidence that the expected calibration error compares.
        pictures: Most photos on a contact sheet.
        seed: Seed of the bootstrap.

    Returns:
        Key of the result.
    """
    from coachworks.context import step_context
    from coachworks.fleet.model import Fleet
    from coachworks.store import open_store
    from components.evaluate.config import EvaluateConfig
    from components.evaluate.dashboard import show
    from components.evaluate.step import evaluate as step

    located = Fleet.from_json(fleet)
    config = EvaluateConfig(replicates=replicates, confidence=confidence, bins=bins, pictures=pictures, seed=seed)
    with step_context(open_store(located.spec.store), "evaluate", lane=skills[0]) as context:
        result = step(located, train, skills, config=config, context=context)
        show(result, metrics, page)
    return result.key
