"""package: the champions of the fleet in one bento, one backbone and many heads."""

from coachworks.steps import Step
from components.package.config import PackageConfig

STEP = Step(
    name="package",
    title="Package champions",
    summary="Package the champions into one bento.",
    config=PackageConfig,
    joins_lanes=True,
)

__all__ = ["STEP"]
