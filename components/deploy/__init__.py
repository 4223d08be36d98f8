"""deploy: the champions as one Helm release, behind a canary that must prove itself first."""

from coachworks.steps import Step
from components.deploy.config import DeployConfig

STEP = Step(
    name="deploy",
    title="Deploy release",
    summary="Deploy the champions to Kubernetes: canary, bake, promotion, or back by itself.",
    config=DeployConfig,
)

__all__ = ["STEP"]
