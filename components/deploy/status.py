"""Status of a release, for `coachworks status`: deployed versions, and pods that are ready."""

from collections.abc import Mapping
from dataclasses import dataclass

from components.deploy.canary.metrics import CANARY, STABLE
from components.deploy.cluster.namespace import DeploymentState
from components.deploy.request import ReleaseContext
from components.deploy.target.values import FleetValues, read_values


@dataclass(frozen=True, kw_only=True)
class SkillStatus:
    """Status of a deployed skill.

    Attributes:
        name: The skill.
        version: Version of its registered model.
        digest: SHA-256 of its head.
        layout: `shared` or `dedicated` pods.
        service: Name of its Service.
        port: Port of its Service.
        ready: Pods that are ready.
        desired: Pods that its Deployment asks for.
        canary: Canary pods that are ready.
    """

    name: str
    version: str
    digest: str
    layout: str
    service: str
    port: int
    ready: int
    desired: int
    canary: int


@dataclass(frozen=True, kw_only=True)
class ReleaseStatus:
    """Status of a release.

    Attributes:
        release: Name of the Helm release.
        namespace: Its namespace.
        revision: Number of its latest revision.
        description: Status and description of that revision in Helm's history.
        skills: The deployed skills.
        problems: Why pods are not ready, by their names.
    """

    release: str
    namespace: str
    revision: int
    description: str
    skills: tuple[SkillStatus, ...]
    problems: Mapping[str, str]


def read_status(context: ReleaseContext) -> ReleaseStatus | None:
    """Read the status of a release; None where nothing is deployed."""
    latest = context.helm.status()
    if latest is None:
        return None
    values = read_values(context.helm.values())
    deployments = {(each.group, each.track): each for each in context.cluster.deployments()}
    return ReleaseStatus(
        release=context.release,
        namespace=context.cluster.namespace,
        revision=latest.number,
        description=f"{latest.status}, {latest.description}",
        skills=tuple(_skill_status(name, values, deployments) for name in values.skills),
        problems={pod.name: pod.problem for pod in context.cluster.pods() if pod.problem and not pod.terminating},
    )


def _skill_status(
    name: str, values: FleetValues, deployments: Mapping[tuple[str, str], DeploymentState]
) -> SkillStatus:
    skill, group = values.skills[name], values.group_of(name)
    stable, canary = deployments.get((group, STABLE)), deployments.get((group, CANARY))
    return SkillStatus(
        name=name,
        version=skill.model.version,
        digest=skill.model.head_sha256,
        layout=skill.layout,
        service=values.service_of(name),
        port=skill.port,
        ready=stable.ready if stable else 0,
        desired=stable.desired if stable else 0,
        canary=canary.ready if canary else 0,
    )
