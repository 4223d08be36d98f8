"""The KFP face of train."""

from kfp import dsl

from components import container_images


@dsl.component(base_image=container_images.STEPS, install_kfp_package=False)
def train(
    fleet: str,
    embed: str,
    skills: list[str],
    metrics: dsl.Output[dsl.Metrics],
    class_weights: str = "auto",
    components: int = 512,
    seed: int = 0,
) -> str:
    """Train the candidates of a lane's skills on the features and pick winners.

    Args:
        fleet: The fleet, as JSON.
        embed: Key of the result of embed.
        skills: The lane's skills.
        metrics: Balanced accuracy of each winner on the validation photos, and times.
        class_weights: Policy against imbalance: `auto`, `balanced`, `none`, `logit-adjustment` or `focal`.
        components: Maximum of principal components that the candidates use.
        seed: Seed of the random numbers.

    Returns:
        Key of the result.
    """
    from coachworks.task import run_task
    from components.dashboard import show_numbers
    from components.train.dashboard import numbers

    task = run_task("train", fleet, embed, skills, class_weights=class_weights, components=components, seed=seed)
    show_numbers(task.result, numbers, metrics)
    return task.result.key
