"""Releasing a fleet: what shall be released, what is, and the way from one to the other."""

import getpass
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coachworks.bundled_files import bundled_file
from coachworks.errors import InvalidConfigError, NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.models.manifest import Manifest
from coachworks.progress import SILENT, Progress
from coachworks.store import open_store
from coachworks.tracking import open_client, tracking_of
from components import container_images
from components.deploy.canary.checks import Proof
from components.deploy.canary.metrics import Rules
from components.deploy.canary.smoke import choose
from components.deploy.cluster.lease import hold_lease
from components.deploy.cluster.namespace import Cluster, open_cluster
from components.deploy.config import DeployConfig
from components.deploy.helm.client import Helm
from components.deploy.models.deployment_tags import Deployment, record_deployed
from components.deploy.report import DeployedSkill, DeployReport
from components.deploy.rollout import Outcome, Rollout
from components.deploy.rollout_plan import in_place
from components.deploy.target.resolve import Resolved, resolve
from components.deploy.target.values import SHARED, Values, chart_values, layouts, settled, versions


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked for, beside the fleet file.

    Attributes:
        namespace: Namespace, in place of the fleet file's.
        image: An image that holds the models, in place of pods fetching them from the store.
        pinned: Versions by skill, in place of the champions.
        by: Who deploys.
    """

    namespace: str | None = None
    image: str | None = None
    pinned: Mapping[str, str] = field(default_factory=dict)
    by: str = ""


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a fleet is released.

    Attributes:
        fleet: The fleet, located.
        helm: Its Helm release.
        cluster: The namespace.
        release: Name of the release.
    """

    fleet: Fleet
    helm: Helm
    cluster: Cluster
    release: str

    def revision(self) -> int:
        """Number of the latest revision; 0 where nothing is released."""
        status = self.helm.status()
        return status.revision if status else 0

    def released(self) -> Values | None:
        """The values of the newest settled revision, as far as can be seen without touching anything."""
        for revision in reversed(self.helm.history()):
            if revision.status in {"deployed", "superseded"}:
                values = self.helm.values(revision.revision)
                if settled(values):
                    return values
        return None


def open_site(fleet: Fleet, namespace: str | None = None) -> Site:
    """Where the fleet is released: as the option says, else its file, else the kubeconfig's context.

    Raises:
        InvalidConfigError: there is no cluster to speak to, or no helm.
    """
    deploy = fleet.spec.deploy
    release = deploy.release or fleet.name
    if len(release) > 40:
        raise InvalidConfigError(
            f"the name of a Helm release must have at most 40 characters; got {release!r}. Set `spec.deploy.release`."
        )
    cluster = open_cluster(release, namespace or deploy.namespace)
    chart: Path = bundled_file("charts/fleet")
    return Site(
        fleet=fleet,
        helm=Helm(cluster.namespace, release, chart, keep=deploy.keep_revisions),
        cluster=cluster,
        release=release,
    )


@dataclass(frozen=True)
class Aim:
    """What shall be released: its versions, and the chart's values (None where all awaits approval)."""

    resolved: Resolved
    values: Values | None


def aim(site: Site, wish: Wish, progress: Progress = SILENT, released: Mapping[str, Any] | None = None) -> Aim:
    """Resolve aliases to versions and digests, and write the values.

    Raises:
        DataError: no skill can be released.
        InvalidConfigError: pods cannot reach the store.
        NotFoundError: a version that `wish` names does not exist.
    """
    fleet, tracking = site.fleet, tracking_of(site.fleet)
    unknown = sorted(set(wish.pinned) - set(fleet.spec.skills))
    if unknown:
        raise InvalidConfigError(
            f"a version must be that of a skill of the fleet; got {unknown[0]!r}. Its skills: "
            f"{', '.join(fleet.spec.skills)}."
        )
    resolved = resolve(
        fleet,
        open_store(fleet.spec.store),
        open_client(tracking, progress),
        tracking,
        pinned=wish.pinned,
        released=released,
    )
    if resolved.manifest is None:
        return Aim(resolved, None)
    image = wish.image or fleet.spec.deploy.image or container_images.tag("serving")
    return Aim(resolved, chart_values(fleet, resolved.manifest, image=image, baked=wish.image is not None))


def release_fleet(
    site: Site, wish: Wish, *, config: DeployConfig | None = None, progress: Progress = SILENT
) -> DeployReport:
    """Release the champions: behind a canary, or back to what answered before.

    Raises:
        BusyError: somebody else is deploying this release.
        DeployError: the new version did not prove itself.
    """
    with _rollout(site, wish, config, progress) as rollout:
        current = rollout.settle()
        goal = aim(site, wish, progress, current)
        for skill, reason in {**goal.resolved.left_out, **goal.resolved.awaiting}.items():
            progress.note(f"{skill}: {reason}")
        if goal.values is None or goal.resolved.manifest is None:
            return _report(site, current or {}, current, goal.resolved, Outcome(False, site.revision()))
        if current is not None and in_place(site.helm, current, goal.values):
            outcome = Outcome(False, site.revision())
        else:
            outcome = rollout.to(current, goal.values, _proof(site, goal.resolved.manifest, goal.values, progress))
        _record(site, wish, goal.values, outcome, progress)
        return _report(site, goal.values, current, goal.resolved, outcome)


def roll_back(
    site: Site,
    wish: Wish,
    revision: int | None = None,
    *,
    config: DeployConfig | None = None,
    progress: Progress = SILENT,
) -> DeployReport:
    """Release again what was released before, at once: it has proved itself already.

    Args:
        site: Where the fleet is released.
        wish: Who does it.
        revision: That of the Helm release to go back to; None: what was in place before the present one.
        config: Settings.
        progress: Is told how it goes.

    Raises:
        NotFoundError: nothing else was released before, or no such revision is kept.
    """
    with _rollout(site, wish, config, progress) as rollout:
        current = rollout.settle()
        if current is None:
            raise NotFoundError(f"nothing is released as {site.release!r} in the namespace {site.cluster.namespace!r}.")
        target = _earlier(site, current, revision)
        outcome = rollout.to(current, target, None)
        _record(site, wish, target, outcome, progress)
        return _report(site, target, current, Resolved(None, {}, {}), outcome)


def _earlier(site: Site, current: Values, revision: int | None) -> Values:
    kept = site.helm.history()
    if revision is not None and revision not in {each.revision for each in kept}:
        raise NotFoundError(
            f"the release {site.release!r} keeps no revision {revision}; it keeps "
            f"{', '.join(str(each.revision) for each in kept)}. `helm history {site.release}` tells of them."
        )
    for each in reversed(kept):
        if revision is not None and each.revision != revision:
            continue
        values = site.helm.values(each.revision) if each.status in {"deployed", "superseded"} else {}
        if values and settled(values) and (revision is not None or values.get("release") != current.get("release")):
            return values
    if revision is not None:
        raise InvalidConfigError(
            f"revision {revision} was a stage on the way, no release. `helm history {site.release}` tells them apart."
        )
    raise NotFoundError(
        f"nothing but the present version was released as {site.release!r}: there is nothing to go back to."
    )


@contextmanager
def _rollout(site: Site, wish: Wish, config: DeployConfig | None, progress: Progress) -> Iterator[Rollout]:
    settings, canary = config or DeployConfig(), site.fleet.spec.deploy.canary
    with hold_lease(site.cluster, wish.by or who()) as lease:
        yield Rollout(
            helm=site.helm,
            cluster=site.cluster,
            lease=lease,
            share=canary.share,
            timeout_s=settings.timeout_s,
            progress=progress,
        )


def who() -> str:
    """Who we are, for others to read: `ann@laptop`."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        name = "coachworks"
    return f"{name}@{platform.node()}"


def _proof(site: Site, manifest: Manifest, values: Values, progress: Progress) -> Proof:
    canary, store = site.fleet.spec.deploy.canary, open_store(site.fleet.spec.store)
    skills: dict[str, list[str]] = {}
    for skill, layout in layouts(values).items():
        skills.setdefault(SHARED if layout == SHARED else skill, []).append(skill)
    return Proof(
        cluster=site.cluster,
        store=store,
        manifest=manifest,
        skills=skills,
        photos=choose(store, manifest, canary.smoke_photos),
        rules=Rules(max_error_rate=canary.max_error_rate, max_latency_ratio=canary.max_latency_ratio),
        bake_s=canary.bake_seconds,
        progress=progress,
    )


def _record(site: Site, wish: Wish, values: Values, outcome: Outcome, progress: Progress) -> None:
    """Tell MLflow; also where nothing changed, for a deployer may have been killed before it could."""
    deployment = Deployment(
        namespace=site.cluster.namespace,
        name=site.release,
        revision=outcome.revision,
        release=str(values.get("release", "")),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        by=wish.by or who(),
    )
    record_deployed(site.fleet, deployment, versions(values), progress=progress)


def _report(
    site: Site, values: Mapping[str, Any], before: Mapping[str, Any] | None, resolved: Resolved, outcome: Outcome
) -> DeployReport:
    earlier = versions(before or {})
    return DeployReport(
        status="awaiting-approval" if resolved.awaiting else "deployed" if outcome.changed else "unchanged",
        namespace=site.cluster.namespace,
        name=site.release,
        revision=outcome.revision,
        release=str(values.get("release", "")),
        skills={
            skill: DeployedSkill(
                version=str(entry["model"]["version"]),
                before=earlier.get(skill),
                digest=str(entry["model"]["head_sha256"]),
                layout=str(entry.get("layout", SHARED)),
                service=str(entry.get("serviceName") or skill),
                port=int(entry["port"]),
            )
            for skill, entry in values.get("skills", {}).items()
        },
        awaiting=resolved.awaiting,
        left_out=resolved.left_out,
        stages=outcome.stages,
        smoke=outcome.smoke,
        bake=outcome.verdict.rows if outcome.verdict else (),
        seen=outcome.verdict.reason if outcome.verdict else "",
    )
