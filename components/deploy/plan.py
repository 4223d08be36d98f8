"""What a deployment would change: versions, and objects line by line. Nothing secret is shown."""

import difflib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coachworks.progress import SILENT, Progress
from components.deploy.helm.manifests import by_name
from components.deploy.releasing import Aim, Site, Wish, aim
from components.deploy.rollout_plan import route
from components.deploy.target.values import layouts, versions

HIDDEN = "(hidden)"


@dataclass(frozen=True)
class PlannedSkill:
    """A skill before and after; None where it does not answer: version, and layout of its pods."""

    before: str | None
    after: str | None
    layout_before: str | None
    layout_after: str | None


@dataclass(frozen=True)
class Plan:
    """What a deployment would do.

    Attributes:
        release: Name of the Helm release.
        namespace: Where it is.
        skills: Every skill that answers before or after.
        awaiting: Critical skills whose new version awaits approval, each with what to do.
        left_out: Skills that would not be released, each with the reason.
        stages: What would be done, in words.
        objects: Kind and name of every object that would be added, changed or removed: `+`, `~`, `-`.
        diff: The difference, as `diff -u` writes it.
    """

    release: str
    namespace: str
    skills: Mapping[str, PlannedSkill]
    awaiting: Mapping[str, str]
    left_out: Mapping[str, str]
    stages: tuple[str, ...]
    objects: Mapping[str, str]
    diff: str

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.objects)


def plan(site: Site, wish: Wish, progress: Progress = SILENT) -> Plan:
    """What `release_fleet` would do now; nothing is touched."""
    released = site.released()
    return _plan(site, aim(site, wish, progress, released), released)


def _plan(site: Site, goal: Aim, released: Mapping[str, Any] | None) -> Plan:
    values = goal.values or released or {}
    before = by_name(site.helm.manifest()) if released is not None else {}
    after = by_name(site.helm.template(goal.values)) if goal.values is not None else before
    old, new = versions(released or {}), versions(values)
    old_layouts, new_layouts = layouts(released or {}), layouts(values)
    objects = dict(_marks(before, after))
    return Plan(
        release=site.release,
        namespace=site.cluster.namespace,
        skills={
            skill: PlannedSkill(old.get(skill), new.get(skill), old_layouts.get(skill), new_layouts.get(skill))
            for skill in {**old, **new}
        },
        awaiting=goal.resolved.awaiting,
        left_out=goal.resolved.left_out,
        stages=tuple(_stages(site, released, goal)),
        objects=objects,
        diff="".join(_diff(before, after)),
    )


def _marks(before: Mapping[tuple[str, str], Any], after: Mapping[tuple[str, str], Any]) -> Iterator[tuple[str, str]]:
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            yield f"{key[0]} {key[1]}", "+" if key not in before else "-" if key not in after else "~"


def _stages(site: Site, released: Mapping[str, Any] | None, goal: Aim) -> Iterator[str]:
    if goal.values is None:
        return
    if released is None:
        yield "install without traffic, smoke test, open"
        return
    way = route(site.helm, released, goal.values)
    if way.moves is not None:
        yield "add pods in the new layout, wait, switch Services and remove what they left"
    if way.renewed:
        bake = "join the Services, bake, " if site.fleet.spec.deploy.canary.bake_seconds else ""
        yield f"canary, smoke test, {bake}promote"
    elif way.changes:
        yield "replace"


def _diff(before: Mapping[tuple[str, str], Any], after: Mapping[tuple[str, str], Any]) -> Iterator[str]:
    for key in sorted({*before, *after}):
        old, new = (_text(objects.get(key)) for objects in (before, after))
        name = f"{key[0]} {key[1]}"
        yield from difflib.unified_diff(old, new, f"{name} (released)", f"{name} (planned)", n=2)


def _text(made: Mapping[str, Any] | None) -> list[str]:
    from ruamel.yaml import YAML

    if made is None:
        return []
    if made["kind"] == "Secret":
        made = {
            **made,
            **{part: dict.fromkeys(made[part], HIDDEN) for part in ("data", "stringData") if made.get(part)},
        }
    told, yaml = io.StringIO(), YAML()
    yaml.width = 10_000
    yaml.dump(made, told)
    return told.getvalue().splitlines(keepends=True)
