"""The pipeline: from a fleet file and its sources to registered, packaged and documented skills."""

from typing import List  # noqa: UP035 — KFP reads the annotation and knows no built-in generics here

from kfp import dsl

from components.augment.component import augment
from components.document.component import document
from components.embed.component import embed
from components.evaluate.component import evaluate
from components.ingest.component import ingest
from components.package.component import package
from components.register.component import register
from components.split.component import split
from components.train.component import train
from components.validate.component import validate


@dsl.pipeline(name="lanes", description="Train, evaluate and register the skills, lane by lane.")
def lanes_pipeline(fleet: str, embedded: str, lanes: List[List[str]]) -> List[str]:  # noqa: UP006
    """The loop over lanes; a pipeline of its own because outputs of tasks outside a loop do not survive inside it."""
    with dsl.ParallelFor(lanes, name="lane") as lane:
        trained = train(fleet=fleet, embed=embedded, skills=lane)
        evaluated = evaluate(fleet=fleet, train=trained.outputs["Output"], skills=lane)
        registered = register(fleet=fleet, evaluate=evaluated.outputs["Output"], skills=lane)
        registered.set_caching_options(enable_caching=False)
    return dsl.Collected(registered.outputs["Output"])


@dsl.pipeline(name="coachworks-fleet", display_name="Fleet of image classifiers", description=__doc__)
def fleet_pipeline(fleet: str, lanes: List[List[str]]) -> str:  # noqa: UP006
    """Compose the steps.

    Args:
        fleet: The fleet, as JSON.
        lanes: Names of the skills to train, one list per lane.

    Returns:
        Key of the result of `document`; all others are found through it.
    """
    ingested = ingest(fleet=fleet)
    ingested.set_caching_options(enable_caching=False)
    splitted = split(fleet=fleet, ingest=ingested.output)
    validated = validate(fleet=fleet, split=splitted.output)
    augmented = augment(fleet=fleet, validate=validated.outputs["Output"])
    embedded = embed(fleet=fleet, augment=augmented.outputs["Output"])
    registered = lanes_pipeline(fleet=fleet, embedded=embedded.output, lanes=lanes)
    packaged = package(fleet=fleet, register=registered.output)
    documented = document(fleet=fleet, package=packaged.output)
    return documented.outputs["Output"]
