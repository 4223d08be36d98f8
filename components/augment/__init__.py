"""Augment: fix the augmentation policy for training photos and draw its contact sheet."""

from coachworks.steps import Step
from components.augment.config import AugmentConfig

STEP = Step(
    name="augment",
    title="Augment photos",
    summary="Choose the augmentation policy and show what it does.",
    config=AugmentConfig,
)

__all__ = ["STEP", "AugmentConfig"]
