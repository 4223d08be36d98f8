"""Stages of a rollout from the deployed values to others: decided once, shown by a plan and run by a rollout."""

from collections.abc import Mapping
from dataclasses import dataclass

from components.deploy.canary.metrics import STABLE
from components.deploy.helm.client import Helm
from components.deploy.helm.manifests import RenderedObjects, parse_objects
from components.deploy.target.values import FleetValues, with_layouts


@dataclass(frozen=True, kw_only=True)
class RolloutPlan:
    """Stages of a rollout.

    Attributes:
        current: The deployed values, complete; None where nothing is deployed.
        target: The values to deploy.
        moves: Values of the two revisions that move skills between shared pods and their own; None: no skill moves.
        renewed: Groups whose pods are replaced after that, behind a canary; each with its number of stable pods.
        changes: Whether anything is left to change after the moves.
        deployed_objects: The objects of the latest revision.
        target_objects: The objects that `target` is rendered to.
    """

    current: FleetValues | None
    target: FleetValues
    moves: tuple[FleetValues, FleetValues] | None
    renewed: Mapping[str, int]
    changes: bool
    deployed_objects: RenderedObjects
    target_objects: RenderedObjects

    @property
    def up_to_date(self) -> bool:
        """True if `target` is deployed already, with the chart of this version of coachworks."""
        return self.moves is None and not self.changes


def plan_rollout(helm: Helm, current: FleetValues | None, target: FleetValues) -> RolloutPlan:
    """Plan the rollout from `current`, which is deployed and complete, to `target`."""
    deployed = parse_objects(helm.manifest()) if current is not None else RenderedObjects()
    after = parse_objects(helm.template(target.to_json()))
    moves = with_layouts(current, target) if current is not None else None
    start = moves[1] if moves else current
    before = parse_objects(helm.template(moves[1].to_json())) if moves else deployed
    return RolloutPlan(
        current=current,
        target=target,
        moves=moves,
        renewed={group: after.replicas(group, STABLE) for group in after.changed_groups(before, STABLE)},
        changes=start is None or start.release_digest != target.release_digest or before.by_name != after.by_name,
        deployed_objects=deployed,
        target_objects=after,
    )
