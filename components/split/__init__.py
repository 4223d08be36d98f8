"""Split: train, validation and test by set, the same for ever."""

from coachworks.steps import Step
from components.split.config import SplitConfig

STEP = Step(
    name="split",
    title="Split photos",
    summary="Divide the sets into train, validation and test.",
    config=SplitConfig,
)

__all__ = ["STEP", "SplitConfig"]
