"""Rules between the parts of `spec`: skills against sources, skills against skills."""

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from pydantic_core import InitErrorDetails

from coachworks.fleet.rules import detail
from coachworks.wording import did_you_mean


def check_spec(spec: Mapping[str, Any]) -> list[InitErrorDetails]:
    """Return the errors between parts of `spec`, each of which may itself be invalid."""
    skills = spec.get("skills")
    if not isinstance(skills, Mapping) or not all(isinstance(name, str) for name in skills):
        return []
    names = cast("list[str]", list(skills))
    return [
        *_sources(spec, names),
        *_sources_in_store(spec),
        *_renamed(spec, names),
        *_services(spec, names),
        *_shared_pods(spec, names),
        *_deployed_skills(spec, names),
        *_relaxed_gates(spec, names),
    ]


def imply_skill(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `spec` with `skill` set on sources without a table, if the fleet has only one skill."""
    sources, skills = spec.get("sources"), spec.get("skills")
    if not isinstance(sources, list) or not isinstance(skills, Mapping) or len(skills) != 1:
        return spec
    (only,) = skills
    implied = [
        {**source, "skill": only}
        if isinstance(source, Mapping) and source.get("table") is None and source.get("skill") is None
        else source
        for source in sources
    ]
    return {**spec, "sources": implied}


def _sources(spec: Mapping[str, Any], skills: list[str]) -> Iterable[InitErrorDetails]:
    sources = spec.get("sources")
    for index, source in enumerate(sources if isinstance(sources, list) else ()):
        skill, table = _get(source, "skill"), _get(source, "table")
        if table is None and skill is None and len(skills) > 1 and _get(source, "photos") is not None:
            yield detail(
                "a source without `table` must say which `skill` its sub-folders answer, since the fleet has more than "
                f"one. Add `skill: {skills[0]}`, or name a `table`.",
                ("sources", index),
                source,
            )
        elif isinstance(skill, str) and skill not in skills:
            yield detail(
                f"`skill` must be one of the fleet's; got {skill!r}.{_hint(skill, spec, skills)}",
                ("sources", index, "skill"),
                skill,
            )


def _sources_in_store(spec: Mapping[str, Any]) -> Iterable[InitErrorDetails]:
    sources, store = spec.get("sources"), spec.get("store", "./store")
    for index, source in enumerate(sources if isinstance(sources, list) else ()):
        photos = _get(source, "photos")
        if isinstance(photos, str) and isinstance(store, str) and _is_inside(photos, store):
            yield detail(
                f"`photos` must not lie in the store, which keeps photos in its own way; got {photos!r} in {store!r}. "
                "Give the store a folder or prefix of its own, beside that of the photos.",
                ("sources", index, "photos"),
                photos,
            )


def _is_inside(inner: str, outer: str) -> bool:
    inner, outer = posixpath.normpath(inner), posixpath.normpath(outer)
    return inner == outer or inner.startswith(f"{outer}/")


def _renamed(spec: Mapping[str, Any], skills: list[str]) -> Iterable[InitErrorDetails]:
    """Yield an error for each earlier name that is the skill's own, another skill's, or two skills'."""
    renamed: dict[str, str] = {}
    for name in skills:
        was = _get(spec["skills"][name], "was")
        if not isinstance(was, str):
            continue
        location = ("skills", name, "was")
        if was == name:
            yield detail(f"`was` must be an earlier name; got {was!r}, the skill's name. Remove it.", location, was)
        elif was in skills:
            yield detail(
                f"`was` must be a name that no skill has any more; {was!r} is a skill of the fleet. Remove that skill, "
                "or this `was`.",
                location,
                was,
            )
        elif renamed.setdefault(was, name) != name:
            yield detail(
                f"two skills must not have the same `was`; got {was!r} for {renamed[was]!r} and {name!r}. Keep it "
                "at the skill that goes on with its answers and its model.",
                location,
                was,
            )


def _hint(name: str, spec: Mapping[str, Any], skills: list[str]) -> str:
    """Return a sentence about the skill that an unknown `name` may mean."""
    renamed = next((skill for skill in skills if _get(spec["skills"][skill], "was") == name), None)
    if renamed is not None:
        return f" Its name is {renamed!r} now."
    return did_you_mean(name, skills) or f" Its skills: {', '.join(skills)}."


def _services(spec: Mapping[str, Any], skills: list[str]) -> Iterable[InitErrorDetails]:
    shared = _get(_get(spec, "defaults"), "serving")
    for field in ("serviceName", "port"):
        value = _get(shared, field)
        if value is not None and len(skills) > 1:
            yield detail(
                f"`{field}` must be set per skill when the fleet has more than one, since each has its own Service; "
                f"got {value!r} for all. Move it to the `serving` of a skill.",
                ("defaults", "serving", field),
                value,
            )
    ports: dict[Any, str] = {}
    for name in skills:
        serving = _get(spec["skills"][name], "serving")
        port, service = _get(serving, "port"), _get(serving, "serviceName")
        if isinstance(port, int) and ports.setdefault(port, name) != name:
            yield detail(
                f"two skills must not have the same port; got {port} for {ports[port]!r} and {name!r}. "
                "Give one of them another port.",
                ("skills", name, "serving", "port"),
                port,
            )
        if not isinstance(service, str):
            continue
        for other in skills:
            others = _get(_get(spec["skills"][other], "serving"), "serviceName")
            default = _get(spec["skills"][other], "was") or other
            comes_first = skills.index(other) < skills.index(name)
            if other != name and ((service == others and comes_first) or (others is None and service == default)):
                yield detail(
                    f"two skills must not have the same serviceName; got {service!r} for {other!r} and {name!r}"
                    + (
                        ""
                        if others is not None
                        else " (a skill's Service has the name of the skill by default)"
                        if default == other
                        else " (a renamed skill keeps its Service by default)"
                    )
                    + ". Rename one of them.",
                    ("skills", name, "serving", "serviceName"),
                    service,
                )
                break


def _shared_pods(spec: Mapping[str, Any], skills: list[str]) -> Iterable[InitErrorDetails]:
    """Yield an error for each setting of pods at a skill that shares its pods."""
    common = _get(_get(_get(spec, "defaults"), "serving"), "layout") or "shared"
    for name in skills:
        serving = _get(spec["skills"][name], "serving")
        if (_get(serving, "layout") or common) != "shared":
            if name == "shared":
                yield detail(
                    "a skill with pods of its own must not be called 'shared', the name of the common pods. Rename "
                    "it, or set `layout: shared`.",
                    ("skills", name, "serving"),
                    name,
                )
            continue
        for field in ("replicas", "cpu", "memory", "image", "environment"):
            value = _get(serving, field)
            if value is not None and isinstance(serving, Mapping):
                yield detail(
                    f"`{field}` must not be set for a skill that shares its pods with others; got {value!r}. Set it "
                    "under `defaults` for all of them, or give the skill pods of its own with `layout: dedicated`.",
                    ("skills", name, "serving", field),
                    value,
                )


def _deployed_skills(spec: Mapping[str, Any], skills: list[str]) -> Iterable[InitErrorDetails]:
    further = _get(_get(spec, "deploy"), "skills")
    for name in further if isinstance(further, Mapping) else ():
        if name not in skills:
            yield detail(
                f"`deploy.skills` must name skills of the fleet; got {name!r}.{_hint(name, spec, skills)}",
                ("deploy", "skills", name, "[key]"),
                name,
            )


def _relaxed_gates(spec: Mapping[str, Any], skills: list[str]) -> Iterable[InitErrorDetails]:
    shared = _get(_get(spec, "defaults"), "gates")
    for name in skills:
        skill = spec["skills"][name]
        if _get(skill, "tier") != "critical":
            continue
        for gate in ("minPhotosPerLabel", "minBalancedAccuracy", "maxExpectedCalibrationError"):
            own, common = _get(_get(skill, "gates"), gate), _get(shared, gate)
            if not isinstance(own, (int, float)) or not isinstance(common, (int, float)):
                continue
            if own > common if gate.startswith("max") else own < common:
                yield detail(
                    f"a critical skill must not relax a gate of `defaults`; {gate} is {common} there and {own} here. "
                    "Keep to the default, or make the skill `tier: standard`.",
                    ("skills", name, "gates", gate),
                    own,
                )


def _get(mapping: object, field: str) -> Any:
    """Return the value of a camelCase `field`, or of its Python name; None if `mapping` is no mapping or model."""
    python_name = re.sub(r"[A-Z]", lambda capital: f"_{capital.group().lower()}", field)
    if isinstance(mapping, Mapping):
        return mapping.get(field, mapping.get(python_name))
    return getattr(mapping, python_name, None)
