"""Documents: what a client reads about each skill and the fleet, written from the run's own records."""

from coachworks.steps import Step
from components.document.config import DocumentConfig

STEP = Step(
    name="document",
    title="Write documents",
    summary="Write one page per skill and one for the fleet: HTML, PDF and LaTeX.",
    config=DocumentConfig,
)

__all__ = ["STEP", "DocumentConfig"]
