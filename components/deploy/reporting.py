"""Report of a deployment, from the values before and after and the result of the rollout."""

from collections.abc import Iterable
from typing import Literal

from components.deploy.removals import Removal
from components.deploy.report import DeployedSkill, DeployReport
from components.deploy.request import ReleaseContext
from components.deploy.rollout import RolloutResult
from components.deploy.target.resolve import ResolvedVersions
from components.deploy.target.values import FleetValues


def build_report(
    context: ReleaseContext,
    values: FleetValues | None,
    before: FleetValues | None,
    resolved: ResolvedVersions,
    result: RolloutResult,
    refused: Iterable[Removal] = (),
) -> DeployReport:
    """Build the report of a deployment.

    Args:
        context: The release.
        values: The deployed values; None where nothing is deployed.
        before: Values of the complete revision before; None where nothing was deployed.
        resolved: Skills without a version to deploy.
        result: Result of the rollout.
        refused: What the deployment would have stopped answering.
    """
    refusals = {each.name: f"{each} To let it go: `coachworks deploy --remove {each.name}`." for each in refused}
    earlier = before.versions if before is not None else {}
    deployed = values if values is not None else FleetValues()
    return DeployReport(
        status=_status(resolved, result, refused=bool(refusals)),
        namespace=context.cluster.namespace,
        release=context.release,
        revision=result.revision,
        release_digest=deployed.release_digest,
        skills={
            name: DeployedSkill(
                version=skill.model.version,
                before=earlier.get(name),
                digest=skill.model.head_sha256,
                layout=skill.layout,
                service=deployed.service_of(name),
                port=skill.port,
            )
            for name, skill in deployed.skills.items()
        },
        awaiting=resolved.awaiting,
        left_out=resolved.left_out,
        refused=refusals,
        stages=result.stages,
        mended=[str(change) for change in result.drift.changes],
        smoke=result.smoke,
        soak=result.soak.rows if result.soak else (),
        soak_summary=result.soak.reason if result.soak else "",
    )


def _status(
    resolved: ResolvedVersions, result: RolloutResult, *, refused: bool
) -> Literal["deployed", "unchanged", "awaiting-approval", "refused"]:
    if refused:
        return "refused"
    if resolved.awaiting:
        return "awaiting-approval"
    return "deployed" if result.changed else "unchanged"
