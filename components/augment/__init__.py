"""augment: settle how training photos are varied, and show what that looks like."""

from coachworks.steps import Step
from components.augment.config import AugmentConfig

STEP = Step(
    name="augment",
    summary="Settle the augmentation policy and draw a contact sheet of its views.",
    config=AugmentConfig,
)

__all__ = ["STEP", "AugmentConfig"]
