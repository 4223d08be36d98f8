"""evaluate: from the winners of a lane and the unused test split to a verdict for each skill."""

from coachworks.steps import Step
from components.evaluate.config import EvaluateConfig

STEP = Step(
    name="evaluate",
    title="Evaluate winners",
    summary="Judge the winner of every skill on the test photos that nothing has seen.",
    config=EvaluateConfig,
    per_lane=True,
)

__all__ = ["STEP", "EvaluateConfig"]
