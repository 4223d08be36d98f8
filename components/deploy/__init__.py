"""deploy: the champions as one Helm release, behind a canary that must pass its checks first."""

from coachworks.steps import Step
from components.deploy.config import DeployConfig

STEP = Step(
    name="deploy",
    title="Deploy release",
    summary="Deploy the champions to Kubernetes: canary, soak, promotion; automatic rollback on failure.",
    config=DeployConfig,
)

__all__ = ["STEP"]
