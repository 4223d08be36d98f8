"""validate: findings about the photos and their labels, and the skills that may train."""

from coachworks.steps import Step
from components.validate.config import ValidateConfig

STEP = Step(
    name="validate",
    title="Validate photos",
    summary="Judge the photos and labels: which skills may train, and what is missing.",
    config=ValidateConfig,
)

__all__ = ["STEP", "ValidateConfig"]
