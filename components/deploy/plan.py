"""Plan of a deployment: changed versions, and changed objects line by line; Secrets are hidden."""

import difflib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from coachworks.progress import SILENT, Progress
from components.deploy.cluster.field_changes import HIDDEN, FieldChange
from components.deploy.cluster.ownership import Conflict, NameTakenError
from components.deploy.helm.manifests import RenderedObjects, parse_objects
from components.deploy.refusals import Refusals, absence_from, find_refusals
from components.deploy.removals import Removal, RemovalError
from components.deploy.request import DeployRequest, ReleaseContext, Target, resolve_target
from components.deploy.rollout_plan import RolloutPlan, plan_rollout
from components.deploy.target.values import FleetValues

_Objects = Mapping[tuple[str, str], Any]  # by kind and name


@dataclass(frozen=True)
class PlannedSkill:
    """Version, layout and Service (`name:port`) of a skill before and after; None where it is not deployed."""

    before: str | None
    after: str | None
    layout_before: str | None
    layout_after: str | None
    service_before: str | None
    service_after: str | None


@dataclass(frozen=True)
class DeploymentPlan:
    """Plan of a deployment.

    Attributes:
        release: Name of the Helm release.
        namespace: Its namespace.
        skills: Every skill that is deployed before or after.
        awaiting: Critical skills whose new version awaits approval, each with what to do.
        left_out: Skills that would not be deployed, each with the reason.
        stages: Stages of the rollout, in words.
        objects: Kind and name of every object that would be added, changed or removed: `+`, `~`, `-`.
        diff: The difference, as `diff -u` writes it.
        drift: Fields that were changed by hand since the last revision; the deployment takes them back.
        not_compared: Objects whose state on the cluster could not be compared with the release, each with the reason.
        removals: What is answered today and would not be any more.
        conflicts: Objects that would be added and belong to somebody else.
        refusal: The error that `release_fleet` would raise; empty without one.
    """

    release: str
    namespace: str
    skills: Mapping[str, PlannedSkill]
    awaiting: Mapping[str, str]
    left_out: Mapping[str, str]
    stages: tuple[str, ...]
    objects: Mapping[str, str]
    diff: str
    drift: tuple[FieldChange, ...] = ()
    not_compared: Mapping[str, str] = field(default_factory=dict)
    removals: tuple[Removal, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    refusal: str = ""

    @property
    def changes(self) -> bool:
        """True if there is anything to do."""
        return bool(self.objects or self.drift)


def plan_deployment(context: ReleaseContext, request: DeployRequest, progress: Progress = SILENT) -> DeploymentPlan:
    """Plan what `release_fleet` would do now, without changing anything.

    Raises:
        InvalidConfigError: `request` allows the removal of what stays.
    """
    current = context.deployed_values()
    target = resolve_target(context, request, current, progress)
    if target.values is None:
        deployed = parse_objects(context.helm.manifest()) if current is not None else RenderedObjects()
        Refusals().check(context, request.removed)
        return _describe(context, target, current, current, deployed, deployed, ())
    rollout = plan_rollout(context.helm, context.cluster, current, target.values)
    stages = tuple(_stages(rollout, soak=context.fleet.spec.deploy.canary.soak_seconds > 0))
    plan = _describe(context, target, current, target.values, rollout.deployed_objects, rollout.target_objects, stages)
    refusals = find_refusals(context, rollout, absence_from(context.fleet, target.resolved.left_out, current))
    return replace(
        plan,
        drift=rollout.drift.changes,
        not_compared=rollout.drift.unknown,
        removals=refusals.removals,
        conflicts=refusals.conflicts,
        refusal=_refusal(refusals, context, request),
    )


def _refusal(refusals: Refusals, context: ReleaseContext, request: DeployRequest) -> str:
    try:
        refusals.check(context, request.removed)
    except (RemovalError, NameTakenError) as err:
        return str(err)
    return ""


def _describe(
    context: ReleaseContext,
    target: Target,
    old: FleetValues | None,
    new: FleetValues | None,
    deployed: RenderedObjects,
    planned: RenderedObjects,
    stages: tuple[str, ...],
) -> DeploymentPlan:
    old, new = old or FleetValues(), new or FleetValues()
    return DeploymentPlan(
        release=context.release,
        namespace=context.cluster.namespace,
        skills={
            skill: PlannedSkill(
                before=old.versions.get(skill),
                after=new.versions.get(skill),
                layout_before=old.layouts.get(skill),
                layout_after=new.layouts.get(skill),
                service_before=_service(old, skill),
                service_after=_service(new, skill),
            )
            for skill in {**old.skills, **new.skills}
        },
        awaiting=target.resolved.awaiting,
        left_out=target.resolved.left_out,
        stages=stages,
        objects=dict(_marks(deployed.by_name, planned.by_name)),
        diff="".join(_diff(deployed.by_name, planned.by_name)),
    )


def _service(values: FleetValues, skill: str) -> str | None:
    return f"{values.service_of(skill)}:{values.skills[skill].port}" if skill in values.skills else None


def _stages(rollout: RolloutPlan, *, soak: bool) -> Iterator[str]:
    if rollout.current is None:
        yield "install without traffic, smoke test, open"
        return
    if rollout.moves is not None:
        yield "add pods in the new layout, wait, switch Services, remove the pods that they left"
    if rollout.renewed:
        yield f"canary, smoke test, {'join the Services, soak, ' if soak else ''}promote"
    elif rollout.changes:
        yield "replace"
    if rollout.drift:
        yield "take back what was changed by hand, one pod after the other"


def _marks(before: _Objects, after: _Objects) -> Iterator[tuple[str, str]]:
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            yield f"{key[0]} {key[1]}", "+" if key not in before else "-" if key not in after else "~"


def _diff(before: _Objects, after: _Objects) -> Iterator[str]:
    for key in sorted({*before, *after}):
        old, new = (_text(objects.get(key)) for objects in (before, after))
        name = f"{key[0]} {key[1]}"
        yield from difflib.unified_diff(old, new, f"{name} (deployed)", f"{name} (planned)", n=2)


def _text(document: Mapping[str, Any] | None) -> list[str]:
    from ruamel.yaml import YAML

    if document is None:
        return []
    if document["kind"] == "Secret":
        parts = [part for part in ("data", "stringData") if document.get(part)]
        document = {**document, **{part: dict.fromkeys(document[part], HIDDEN) for part in parts}}
    buffer, yaml = io.StringIO(), YAML()
    yaml.width = 10_000  # never fold a line: a diff compares lines
    yaml.dump(document, buffer)
    return buffer.getvalue().splitlines(keepends=True)
