"""Request of a deployment, the release that it changes, and the versions and values to deploy."""

import getpass
import platform
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from coachworks.bundled_files import bundled_file
from coachworks.errors import InvalidConfigError
from coachworks.fleet.model import Fleet
from coachworks.progress import SILENT, Progress
from coachworks.store import Store, open_store
from coachworks.tracking import open_client, tracking_of
from components import container_images
from components.deploy.cluster.namespace import Cluster, open_cluster
from components.deploy.helm.client import Helm
from components.deploy.revisions import newest_complete
from components.deploy.target.resolve import ResolvedVersions, resolve_versions
from components.deploy.target.service_names import LONGEST_RELEASE, long_release, release_name
from components.deploy.target.values import FleetValues, chart_values


@dataclass(frozen=True, kw_only=True)
class DeployRequest:
    """Options of a deployment, beside the fleet file.

    Attributes:
        image: A model image; None: pods fetch the models from the store.
        pinned: Versions by skill, in place of the champions.
        removed: Skills, or Services of all shared skills, that may stop being answered.
        by: Name of the deployer; empty: user and host.
    """

    image: str | None = None
    pinned: Mapping[str, str] = field(default_factory=dict)
    removed: Collection[str] = ()
    by: str = ""

    @property
    def deployer(self) -> str:
        """Name of the deployer, for others to read."""
        return self.by or own_name()


@dataclass(frozen=True, kw_only=True)
class ReleaseContext:
    """A fleet and the Helm release that it is deployed as.

    Attributes:
        fleet: The fleet, located.
        store: Its store.
        helm: Its Helm release.
        cluster: The release's pods and Deployments on the cluster.
    """

    fleet: Fleet
    store: Store
    helm: Helm
    cluster: Cluster

    @property
    def release(self) -> str:
        """Name of the release."""
        return self.cluster.release

    def revision(self) -> int:
        """Return the number of the latest revision; 0 where nothing is deployed."""
        latest = self.helm.status()
        return latest.number if latest else 0

    def deployed_values(self) -> FleetValues | None:
        """Return the values of the newest complete revision; nothing is changed. None where nothing is deployed."""
        newest = newest_complete(self.helm)
        return newest.values if newest else None


def open_release(fleet: Fleet, namespace: str | None = None, *, store: Store | None = None) -> ReleaseContext:
    """Open the release of a fleet: in `namespace`, else that of the fleet file, else of the kubeconfig's context.

    Args:
        fleet: The fleet, located.
        namespace: Namespace, in place of the fleet file's.
        store: The fleet's store; None: it is opened.

    Raises:
        InvalidConfigError: no cluster is configured, there is no helm, or the release's name is too long.
    """
    deploy = fleet.spec.deploy
    release = release_name(fleet)
    if len(release) > LONGEST_RELEASE:
        raise InvalidConfigError(long_release(release))
    cluster = open_cluster(release, namespace or deploy.namespace)
    return ReleaseContext(
        fleet=fleet,
        store=store if store is not None else open_store(fleet.spec.store),
        helm=Helm(cluster.namespace, release, bundled_file("charts/fleet"), keep=deploy.keep_revisions),
        cluster=cluster,
    )


@dataclass(frozen=True)
class Target:
    """Result of resolving a request.

    Attributes:
        resolved: The versions to deploy, and the skills without one.
        values: The chart's values; None where every version awaits approval.
    """

    resolved: ResolvedVersions
    values: FleetValues | None

    @property
    def release_digest(self) -> str:
        """Digest of all that is to be deployed; empty where every version awaits approval."""
        return self.values.release_digest if self.values is not None else ""


def resolve_target(
    context: ReleaseContext, request: DeployRequest, current: FleetValues | None, progress: Progress = SILENT
) -> Target:
    """Resolve aliases to versions and digests, and write the chart's values.

    Args:
        context: The release.
        request: Options of the deployment.
        current: Values of the newest complete revision: critical skills keep its versions until new ones are approved.
        progress: Receives progress updates.

    Raises:
        DataError: no skill can be deployed.
        InvalidConfigError: pods cannot reach the store, or `request` names a version of an unknown skill.
        NotFoundError: a version that `request` names does not exist.
    """
    fleet, tracking = context.fleet, tracking_of(context.fleet)
    unknown = sorted(set(request.pinned) - set(fleet.spec.skills))
    if unknown:
        raise InvalidConfigError(
            f"a version must be that of a skill of the fleet; got {unknown[0]!r}. Its skills: "
            f"{', '.join(fleet.spec.skills)}."
        )
    client = open_client(tracking, progress)
    resolved = resolve_versions(fleet, context.store, client, tracking, pinned=request.pinned, deployed=current)
    if resolved.manifest is None:
        return Target(resolved, None)
    image = request.image or fleet.spec.deploy.image or container_images.tag("serving")
    return Target(resolved, chart_values(fleet, resolved.manifest, image=image, model_image=request.image is not None))


def own_name() -> str:
    """Return user and host, for others to read: `ann@laptop`."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        name = "coachworks"
    return f"{name}@{platform.node()}"
