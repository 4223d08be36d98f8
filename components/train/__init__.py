"""train: from the features and labels of a lane of skills to competing heads and a winner for each skill."""

from coachworks.steps import Step
from components.train.config import TrainConfig

STEP = Step(
    name="train",
    title="Train candidates",
    summary="Train the candidates of every skill on the features and pick a winner.",
    config=TrainConfig,
    per_lane=True,
)

__all__ = ["STEP", "TrainConfig"]
