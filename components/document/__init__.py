"""Documents for the client about each skill and the fleet, generated from the results of the run."""

from coachworks.steps import Step
from components.document.config import DocumentConfig

STEP = Step(
    name="document",
    title="Write documents",
    summary="Write a document per skill and one for the fleet: HTML, PDF and LaTeX source.",
    config=DocumentConfig,
)

__all__ = ["STEP", "DocumentConfig"]
