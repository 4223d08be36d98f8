"""Stages of a rollout from the deployed values to others: decided once, shown by a plan and run by a rollout."""

from collections.abc import Mapping
from dataclasses import dataclass

from coachworks.wording import listed
from components.deploy.canary.metrics import STABLE
from components.deploy.cluster.namespace import Cluster
from components.deploy.drift import Drift, find_drift
from components.deploy.helm.client import Helm
from components.deploy.helm.manifests import RenderedObjects, parse_objects
from components.deploy.target.values import FleetValues, with_layouts

_LISTED_CHANGES = 6  # in the description of a revision, which is one line of `helm history`


@dataclass(frozen=True, kw_only=True)
class RolloutPlan:
    """Stages of a rollout.

    Attributes:
        current: The deployed values, complete; None where nothing is deployed.
        target: The values to deploy.
        moves: Values of the two revisions that move skills between shared pods and their own; None: no skill moves.
        renewed: Groups whose pods are replaced after that, behind a canary; each with its number of stable pods.
        drift: Changes of the deployed objects by hand, which the rollout takes back.
        changes: Whether anything is left to change after the moves.
        deployed_objects: The objects of the latest revision.
        target_objects: The objects that `target` is rendered to.
    """

    current: FleetValues | None
    target: FleetValues
    moves: tuple[FleetValues, FleetValues] | None
    renewed: Mapping[str, int]
    drift: Drift
    changes: bool
    deployed_objects: RenderedObjects
    target_objects: RenderedObjects

    @property
    def up_to_date(self) -> bool:
        """True if `target` is deployed already, with the chart of this version of coachworks and unchanged by hand."""
        return self.moves is None and not self.changes

    @property
    def description(self) -> str:
        """Description of the last revision for `helm history`: `3f2a91c0de47: view 3 → 4, wheel 1`."""
        by_hand = "; changes by hand are taken back" if self.drift else ""
        return _describe_change(self.current, self.target) + by_hand


def plan_rollout(helm: Helm, cluster: Cluster, current: FleetValues | None, target: FleetValues) -> RolloutPlan:
    """Plan the rollout from `current`, which is deployed and complete, to `target`."""
    deployed = parse_objects(helm.manifest()) if current is not None else RenderedObjects()
    after = parse_objects(helm.template(target.to_json()))
    moves = with_layouts(current, target) if current is not None else None
    start = moves[1] if moves else current
    before = parse_objects(helm.template(moves[1].to_json())) if moves else deployed
    drift = find_drift(cluster, deployed)
    changed = start is None or start.release_digest != target.release_digest or before.by_name != after.by_name
    return RolloutPlan(
        current=current,
        target=target,
        moves=moves,
        renewed={group: after.replicas(group, STABLE) for group in after.changed_groups(before, STABLE)},
        drift=drift,
        changes=changed or bool(drift),
        deployed_objects=deployed,
        target_objects=after,
    )


def _describe_change(old: FleetValues | None, new: FleetValues) -> str:
    before, after = old.versions if old is not None else {}, new.versions
    changes = [
        f"{skill} {before[skill]} → {version}" if skill in before else f"{skill} {version}"
        for skill, version in after.items()
        if before.get(skill) != version
    ]
    changes += [f"without {skill}" for skill in before if skill not in after]
    return f"{new.release_digest}: {listed(changes, _LISTED_CHANGES) or 'the same models'}"
