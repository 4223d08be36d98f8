"""Report of a deployment, from the values before and after and the result of the rollout."""

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
) -> DeployReport:
    """Build the report of a deployment.

    Args:
        context: The release.
        values: The deployed values; None where nothing is deployed.
        before: Values of the complete revision before; None where nothing was deployed.
        resolved: Skills without a version to deploy.
        result: Result of the rollout.
    """
    earlier = before.versions if before is not None else {}
    deployed = values if values is not None else FleetValues()
    return DeployReport(
        status="awaiting-approval" if resolved.awaiting else "deployed" if result.changed else "unchanged",
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
        stages=result.stages,
        mended=[str(change) for change in result.drift.changes],
        smoke=result.smoke,
        soak=result.soak.rows if result.soak else (),
        soak_summary=result.soak.reason if result.soak else "",
    )
