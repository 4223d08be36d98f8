"""Split: divide the sets of photos into train, validation and test, permanently."""

from coachworks.steps import Step
from components.split.config import SplitConfig

STEP = Step(
    name="split",
    title="Split photos",
    summary="Divide the sets into train, validation and test.",
    config=SplitConfig,
)

__all__ = ["STEP", "SplitConfig"]
