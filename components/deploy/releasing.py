"""Deployment and rollback of a fleet's release, by the holder of its lease."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from coachworks.errors import InvalidConfigError, NotFoundError
from coachworks.models.manifest import Manifest
from coachworks.progress import SILENT, Progress
from components.deploy.canary.checks import CanaryChecks
from components.deploy.canary.metrics import CanaryLimits
from components.deploy.canary.smoke_photos import choose_photos
from components.deploy.cluster.lease import hold_lease
from components.deploy.config import DeployConfig
from components.deploy.models.deployment_tags import Deployment, record_deployed
from components.deploy.refusals import Refusals, absence_from, find_refusals
from components.deploy.report import DeployReport
from components.deploy.reporting import build_report
from components.deploy.request import DeployRequest, ReleaseContext, resolve_target
from components.deploy.revisions import complete_revisions
from components.deploy.rollout import Rollout, RolloutResult
from components.deploy.rollout_plan import plan_rollout
from components.deploy.target.resolve import ResolvedVersions
from components.deploy.target.values import FleetValues


def release_fleet(
    context: ReleaseContext,
    request: DeployRequest,
    *,
    config: DeployConfig | None = None,
    progress: Progress = SILENT,
) -> DeployReport:
    """Deploy the champions behind a canary, and roll back where a check fails.

    Versions are resolved after the lease is taken: what another deployer did meanwhile is seen.

    Raises:
        BusyError: another deployer holds the lease.
        RemovalError: something that is answered today would not be, and `request` does not allow it.
        InvalidConfigError: a name is taken, or `request` allows the removal of what stays.
        DeployError: a check of the new versions failed; the release was rolled back.
    """
    with _rollout(context, request, config, progress) as rollout:
        current = rollout.undo_interrupted()
        target = resolve_target(context, request, current, progress)
        for skill, reason in {**target.resolved.left_out, **target.resolved.awaiting}.items():
            progress.note(f"{skill}: {reason}")
        if target.values is None or target.resolved.manifest is None:
            Refusals().check(context, request.removed)
            unchanged = RolloutResult(False, context.revision())
            return build_report(context, current, current, target.resolved, unchanged)
        plan = plan_rollout(context.helm, context.cluster, current, target.values)
        absence = absence_from(context.fleet, target.resolved.left_out, current)
        find_refusals(context, plan, absence).check(context, request.removed)
        checks = None
        if plan.current is None or plan.renewed:
            checks = _canary_checks(context, target.resolved.manifest, target.values, progress)
        result = rollout.run(plan, checks)
        _record(context, request, target.values, result, progress)
        return build_report(context, target.values, current, target.resolved, result)


def roll_back(
    context: ReleaseContext,
    request: DeployRequest,
    revision: int | None = None,
    *,
    config: DeployConfig | None = None,
    progress: Progress = SILENT,
) -> DeployReport:
    """Deploy an earlier complete revision again, without a canary: its versions have passed their checks.

    Args:
        context: The release.
        request: Name of the deployer, and what may stop being answered; the rest is not used.
        revision: Revision of the Helm release; None: the newest one that deployed something else.
        config: Settings.
        progress: Receives progress updates.

    Raises:
        NotFoundError: nothing else was deployed before, or the release keeps no such revision.
        InvalidConfigError: a rollout was in progress at that revision, a name is taken, or `request` allows the
            removal of what stays.
        RemovalError: something that is answered today was not at that revision, and `request` does not allow it.
    """
    with _rollout(context, request, config, progress) as rollout:
        current = rollout.undo_interrupted()
        if current is None:
            raise NotFoundError(
                f"nothing is deployed as {context.release!r} in the namespace {context.cluster.namespace!r}."
            )
        target = _earlier(context, current) if revision is None else _values_of(context, revision)
        plan = plan_rollout(context.helm, context.cluster, current, target)
        refusals = find_refusals(context, plan, lambda _: ("that revision does not have it.", ""))
        command = " ".join(["coachworks rollback", *([] if revision is None else [str(revision)])])
        refusals.check(context, request.removed, command)
        result = rollout.run(plan, None)
        _record(context, request, target, result, progress)
        return build_report(context, target, current, ResolvedVersions(None, {}, {}), result)


def _earlier(context: ReleaseContext, current: FleetValues) -> FleetValues:
    for each in complete_revisions(context.helm):
        if each.values.release_digest != current.release_digest:
            return each.values
    raise NotFoundError(
        f"nothing but the present version was deployed as {context.release!r}: there is nothing to roll back to."
    )


def _values_of(context: ReleaseContext, revision: int) -> FleetValues:
    kept = [each.number for each in context.helm.history()]
    if revision not in kept:
        raise NotFoundError(
            f"the release {context.release!r} keeps no revision {revision}; it keeps {', '.join(map(str, kept))}. "
            f"`helm history {context.release}` describes them."
        )
    for each in complete_revisions(context.helm):
        if each.number == revision:
            return each.values
    raise InvalidConfigError(
        f"revision {revision} is a stage of a rollout, not a complete release. `helm history {context.release}` "
        "tells them apart."
    )


@contextmanager
def _rollout(
    context: ReleaseContext, request: DeployRequest, config: DeployConfig | None, progress: Progress
) -> Iterator[Rollout]:
    settings = config or DeployConfig()
    with hold_lease(context.cluster, request.deployer) as lease:
        yield Rollout(
            helm=context.helm,
            cluster=context.cluster,
            lease=lease,
            share=context.fleet.spec.deploy.canary.share,
            timeout_s=settings.timeout_s,
            progress=progress,
        )


def _canary_checks(
    context: ReleaseContext, manifest: Manifest, values: FleetValues, progress: Progress
) -> CanaryChecks:
    canary = context.fleet.spec.deploy.canary
    return CanaryChecks(
        cluster=context.cluster,
        store=context.store,
        manifest=manifest,
        skills=values.groups,
        photos=choose_photos(context.store, manifest, canary.smoke_photos),
        limits=CanaryLimits(max_error_rate=canary.max_error_rate, max_latency_ratio=canary.max_latency_ratio),
        soak_s=canary.soak_seconds,
        progress=progress,
    )


def _record(
    context: ReleaseContext,
    request: DeployRequest,
    values: FleetValues,
    result: RolloutResult,
    progress: Progress,
) -> None:
    """Record the deployment in MLflow; also where nothing changed, for an earlier deployer may have been killed."""
    deployment = Deployment(
        namespace=context.cluster.namespace,
        release=context.release,
        revision=result.revision,
        release_digest=values.release_digest,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        by=request.deployer,
    )
    record_deployed(context.fleet, deployment, values.versions, progress=progress)
