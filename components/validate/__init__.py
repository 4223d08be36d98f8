"""Validate: what is wrong with the photos and their labels, and which skills may train."""

from coachworks.steps import Step
from components.validate.config import ValidateConfig

STEP = Step(
    name="validate",
    title="Validate photos",
    summary="Judge the photos and labels: which skills may train, and what is missing.",
    config=ValidateConfig,
)

__all__ = ["STEP", "ValidateConfig"]
