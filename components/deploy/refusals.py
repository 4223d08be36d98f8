"""Refusals: what speaks against a planned rollout before anything is changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from coachworks.fleet.model import Fleet
from coachworks.wording import joined
from components.deploy.cluster.ownership import Conflict, find_conflicts, refuse_conflicts
from components.deploy.removals import Absence, Removal, find_removals, refuse_removals
from components.deploy.request import ReleaseContext
from components.deploy.rollout_plan import RolloutPlan
from components.deploy.target.values import FleetValues

_SUGGESTED = 3  # new skills that a message offers as the new name of one that is gone


@dataclass(frozen=True)
class Refusals:
    """Reasons against a rollout.

    Attributes:
        removals: What it would stop answering; a person may allow it.
        conflicts: Objects that it would create and that belong to somebody else.
    """

    removals: tuple[Removal, ...] = ()
    conflicts: tuple[Conflict, ...] = ()

    def check(self, context: ReleaseContext, allowed: Iterable[str], command: str = "coachworks deploy") -> None:
        """Refuse the rollout unless nothing speaks against it, or what does is allowed.

        Args:
            context: The release.
            allowed: Names of removals that a person has allowed.
            command: The command to repeat with `--remove`.

        Raises:
            InvalidConfigError: names are taken, or `allowed` names what stays.
            RemovalError: something that is answered today would not be, and `allowed` does not name it.
        """
        release = f"the release {context.release!r} in the namespace {context.cluster.namespace!r}"
        refuse_removals(self.removals, set(allowed), release=release, command=command)
        refuse_conflicts(self.conflicts, context.cluster.namespace)


def find_refusals(context: ReleaseContext, rollout: RolloutPlan, absence: Absence) -> Refusals:
    """Return what speaks against a rollout.

    Args:
        context: The release.
        rollout: The planned rollout.
        absence: Returns why a skill would not be deployed, and how to keep it.
    """
    deployed, target = rollout.deployed_objects, rollout.target_objects
    # Where Helm's history is lost, its objects may answer still.
    today = context.cluster.services() if rollout.current is None and not context.revision() else deployed.services
    created = [document for key, document in target.by_name.items() if key not in deployed.by_name]
    return Refusals(
        removals=find_removals(today, target.services, absence, context.fleet.renamed),
        conflicts=find_conflicts(context.cluster, created),
    )


def absence_from(fleet: Fleet, left_out: Mapping[str, str], deployed: FleetValues | None) -> Absence:
    """Return why a skill would not be deployed, and how to keep it, as a function of its name.

    Args:
        fleet: The fleet to deploy.
        left_out: Skills of the fleet that cannot be deployed, each with the reason.
        deployed: The deployed values; None where nothing is deployed.
    """
    today = deployed or FleetValues()
    new = joined([f"`{skill}`" for skill in fleet.spec.skills if skill not in today.skills], "or", _SUGGESTED)

    def absence(skill: str) -> tuple[str, str]:
        if skill in left_out:
            return left_out[skill], ""
        if today.fleet not in {"", fleet.name}:
            way_out = f"The release is that of the fleet {today.fleet!r}: set another `spec.deploy.release`."
            return f"the fleet {fleet.name!r} has no such skill.", way_out
        renamed = f" If its name is {new} now, write `was: {skill}` there." if new else ""
        return "the fleet file has no such skill.", f"Put it back.{renamed}"

    return absence
