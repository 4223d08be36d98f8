"""Split: train, validation and test by set, the same for ever."""

from coachworks.steps import Step
from components.split.config import SplitConfig

STEP = Step(
    name="split",
    summary="Give each set of photos to train, validation or test; what was given stays.",
    config=SplitConfig,
)

__all__ = ["STEP", "SplitConfig"]
