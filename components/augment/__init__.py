"""augment: settle how training photos are varied, and show what that looks like."""

from coachworks.steps import Step
from components.augment.config import AugmentConfig

STEP = Step(
    name="augment",
    title="Augment photos",
    summary="Choose the augmentation policy and show what it does.",
    config=AugmentConfig,
)

__all__ = ["STEP", "AugmentConfig"]
