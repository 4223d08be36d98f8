"""The pipeline: from a fleet file and its sources to registered, packaged and documented skills."""

from collections.abc import Callable
from typing import Any, List  # noqa: UP035 — KFP reads the annotation and knows no built-in generics here

from kfp import dsl

import components
from coachworks.steps import discover
from components.augment.component import augment
from components.deploy.component import deploy
from components.document.component import document
from components.embed.component import embed
from components.evaluate.component import evaluate
from components.ingest.component import ingest
from components.package.component import package
from components.register.component import register
from components.split.component import split
from components.train.component import train
from components.validate.component import validate

Place = Callable[[dsl.PipelineTask, str], None]


def anywhere(task: dsl.PipelineTask, step: str) -> None:
    """Leave a task as it is: on this machine there is nothing to place."""


def compose(
    place: Place = anywhere,
    name: str = "coachworks-fleet",
    *,
    deploys: bool = False,
    chooses: bool = False,
    config: dsl.PipelineConfig | None = None,
) -> Any:
    """Compose the pipeline, the same for this machine and for a cluster.

    Args:
        place: Configures the pod of each task; gets the task and the name of its step.
        name: The pipeline's name.
        deploys: Whether its last step is deploy.
        chooses: Whether embed chooses the backbone: it may be asked to choose again between two runs.
        config: Settings of the whole run on a cluster.

    Returns:
        KFP's pipeline, to call with `fleet`, `recipe`, `lanes` and `ingested`, or to compile.
    """

    def configure(task: dsl.PipelineTask, step: str) -> None:
        task.set_display_name(titles[step])
        place(task, step)

    titles = {step.name: step.title for step in discover(components)}

    @dsl.pipeline(name="lanes", description="Train, evaluate and register the skills, lane by lane.")
    def lanes_pipeline(recipe: str, embedded: str, lanes: List[List[str]]) -> List[str]:  # noqa: UP006
        """Loop over lanes; a nested pipeline, because outputs of tasks outside a loop are not available inside it."""
        with dsl.ParallelFor(lanes) as lane:  # unnamed: KFP's backend finds no output of a loop that has a name
            trained = train(fleet=recipe, embed=embedded, skills=lane)
            evaluated = evaluate(fleet=recipe, train=trained.outputs["Output"], skills=lane)
            registered = register(fleet=recipe, evaluate=evaluated.outputs["Output"], skills=lane)
            registered.set_caching_options(enable_caching=False)
        for task, step in ((trained, "train"), (evaluated, "evaluate"), (registered, "register")):
            configure(task, step)
        return dsl.Collected(registered.outputs["Output"])

    @dsl.pipeline(name=name, display_name="Fleet of image classifiers", description=__doc__, pipeline_config=config)
    def fleet_pipeline(fleet: str, recipe: str, lanes: List[List[str]], ingested: str = "") -> str:  # noqa: UP006
        """Compose the steps.

        Args:
            fleet: The fleet, as JSON: for the first step, which records it, and for the one that deploys.
            recipe: The fleet for all other steps, without settings of serving, which KFP's cache then does not cover.
            lanes: Names of the skills to train, one list per lane.
            ingested: Key of an existing result of `ingest`; empty: ingest the fleet's sources.

        Returns:
            Key of the result of the last step; all others are found through it.
        """
        taken = ingest(fleet=fleet, ingested=ingested)
        taken.set_caching_options(enable_caching=False)
        divided = split(fleet=recipe, ingest=taken.outputs["Output"])
        validated = validate(fleet=recipe, split=divided.outputs["Output"])
        augmented = augment(fleet=recipe, validate=validated.outputs["Output"])
        embedded = embed(fleet=recipe, augment=augmented.outputs["Output"])
        if chooses:
            embedded.set_caching_options(enable_caching=False)
        registered = lanes_pipeline(recipe=recipe, embedded=embedded.outputs["Output"], lanes=lanes)
        registered.set_display_name("Lanes of skills")
        packaged = package(fleet=recipe, register=registered.output)
        documented = document(fleet=recipe, package=packaged.outputs["Output"])
        for task, step in (
            *((taken, "ingest"), (divided, "split"), (validated, "validate"), (augmented, "augment")),
            *((embedded, "embed"), (packaged, "package"), (documented, "document")),
        ):
            configure(task, step)
        if not deploys:
            return documented.outputs["Output"]
        deployed = deploy(fleet=fleet, document=documented.outputs["Output"])
        deployed.set_caching_options(enable_caching=False)  # its outcome depends on the cluster
        configure(deployed, "deploy")
        return deployed.outputs["Output"]

    return fleet_pipeline
