"""What of a release stands at the moment: for `coachworks status`."""

from collections.abc import Mapping
from dataclasses import dataclass

from components.deploy.canary.metrics import CANARY, STABLE
from components.deploy.cluster.namespace import DeploymentState
from components.deploy.releasing import Site
from components.deploy.target.values import PORT, SHARED


@dataclass(frozen=True, kw_only=True)
class StandingSkill:
    """A skill that is released.

    Attributes:
        name: The skill.
        version: Version of its registered model.
        digest: SHA-256 of its head.
        layout: `shared` or `dedicated` pods.
        service: Name of its Service.
        port: Port of its Service.
        ready: Pods that are ready.
        wanted: Pods that shall be.
        canary: Canary pods beside them.
    """

    name: str
    version: str
    digest: str
    layout: str
    service: str
    port: int
    ready: int
    wanted: int
    canary: int


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A release.

    Attributes:
        release: Its name.
        namespace: Where it is.
        revision: Number of its latest revision.
        description: What Helm's history says of that.
        skills: The skills that are released.
        troubles: Why pods are not ready, by their names.
    """

    release: str
    namespace: str
    revision: int
    description: str
    skills: tuple[StandingSkill, ...]
    troubles: Mapping[str, str]


def standing(site: Site) -> Standing | None:
    """What stands; None where nothing is released."""
    latest = site.helm.status()
    if latest is None:
        return None
    values = site.helm.values()
    deployments = {(each.group, each.track): each for each in site.cluster.deployments()}
    pods = site.cluster.pods()
    skills = []
    for name, entry in values.get("skills", {}).items():
        layout = str(entry.get("layout", SHARED))
        group = SHARED if layout == SHARED else name
        stable, canary = deployments.get((group, STABLE)), deployments.get((group, CANARY))
        skills.append(
            StandingSkill(
                name=name,
                version=str(entry["model"]["version"]),
                digest=str(entry["model"]["head_sha256"]),
                layout=layout,
                service=str(entry.get("serviceName") or name),
                port=int(entry.get("port", PORT)),
                ready=_ready(stable),
                wanted=stable.desired if stable else 0,
                canary=_ready(canary),
            )
        )
    return Standing(
        release=site.release,
        namespace=site.cluster.namespace,
        revision=latest.revision,
        description=f"{latest.status}, {latest.description}",
        skills=tuple(skills),
        troubles={pod.name: pod.problem for pod in pods if pod.problem and not pod.terminating},
    )


def _ready(deployment: DeploymentState | None) -> int:
    return deployment.ready if deployment else 0
