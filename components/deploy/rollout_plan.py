"""Which way a release goes from what answers to what shall: decided once, told by a plan and taken by a rollout."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.deploy.canary.metrics import STABLE
from components.deploy.helm.client import Helm
from components.deploy.helm.manifests import by_name, read_deployments
from components.deploy.target.values import Values, with_layouts


@dataclass(frozen=True)
class Route:
    """The way.

    Attributes:
        moves: Values of the two revisions that move skills between shared pods and their own; None: none moves.
        renewed: The groups whose pods are made anew after that, behind a canary; each with how many stable pods it has.
        changes: Whether anything is left to change after the moves.
    """

    moves: tuple[Values, Values] | None
    renewed: Mapping[str, int]
    changes: bool

    @property
    def ends_at_once(self) -> bool:
        """Whether there is nothing to do."""
        return self.moves is None and not self.changes


def route(helm: Helm, current: Mapping[str, Any], target: Mapping[str, Any]) -> Route:
    """The way from `current`, which is released and settled, to `target`."""
    moves = with_layouts(current, target)
    before, after = helm.template(moves[1]) if moves else helm.manifest(), helm.template(target)
    start = moves[1] if moves else current
    deployments = read_deployments(after)
    return Route(
        moves=moves,
        renewed={
            group: deployments.replicas(group, STABLE)
            for group in deployments.changed(read_deployments(before), STABLE)
        },
        changes=start.get("release") != target.get("release") or by_name(before) != by_name(after),
    )


def in_place(helm: Helm, current: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
    """Whether `target` is what is released, by the chart of this very version of coachworks."""
    return route(helm, current, target).ends_at_once
