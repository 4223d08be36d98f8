"""register: versions of models in MLflow for the winners; the better of champion and challenger is the champion."""

from coachworks.steps import Step
from components.register.config import RegisterConfig

STEP = Step(
    name="register",
    title="Register models",
    summary="Register in MLflow what passed its gates.",
    config=RegisterConfig,
    per_lane=True,
)

__all__ = ["STEP", "RegisterConfig"]
