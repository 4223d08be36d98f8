"""Rules between the parts of `spec`: skills against sources, skills against skills."""

import posixpath
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, cast

from pydantic_core import InitErrorDetails

from coachworks.fleet.rules import detail
from coachworks.wording import Suggestions


def check_spec(spec: Mapping[str, Any]) -> list[InitErrorDetails]:
    """Return the errors between parts of `spec`, each of which may itself be invalid."""
    skills = spec.get("skills")
    if not isinstance(skills, Mapping) or not all(isinstance(name, str) for name in skills):
        return []
    names = cast("list[str]", list(skills))
    return [
        *_sources(spec, names),
        *_sources_in_store(spec),
        *_links_of_buckets(spec),
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
    unknown = _UnknownSkills(spec, skills)
    for index, source in enumerate(sources if isinstance(sources, list) else ()):
        skill, table = _get(source, "skill"), _get(source, "table")
        if table is None and skill is None and len(skills) > 1 and _get(source, "photos") is not None:
            yield detail(
                "a source without `table` must say which `skill` its sub-folders answer, since the fleet has more than "
                f"one. Add `skill: {skills[0]}`, or name a `table`.",
                ("sources", index),
                source,
            )
        elif isinstance(skill, str) and skill not in spec["skills"]:
            yield detail(
                f"`skill` must be one of the fleet's; got {skill!r}.{unknown.hint(skill)}",
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


def _links_of_buckets(spec: Mapping[str, Any]) -> Iterable[InitErrorDetails]:
    sources = spec.get("sources")
    for index, source in enumerate(sources if isinstance(sources, list) else ()):
        photos, follow = _get(source, "photos"), _get(source, "followLinks")
        if follow is True and isinstance(photos, str) and photos.startswith("s3://"):
            yield detail(
                f"`followLinks` must not be set for photos in a bucket, which has no links; got `photos: {photos}`. "
                "Remove `followLinks`.",
                ("sources", index, "followLinks"),
                follow,
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
        elif was in spec["skills"]:
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


class _UnknownSkills:
    """Sentences about the skills that unknown names may mean."""

    def __init__(self, spec: Mapping[str, Any], skills: list[str]) -> None:
        earlier = {name: _get(spec["skills"][name], "was") for name in reversed(skills)}
        self._renamed = {was: name for name, was in earlier.items() if isinstance(was, str)}
        self._suggestions = Suggestions(skills)

    def hint(self, name: str) -> str:
        if name in self._renamed:
            return f" Its name is {self._renamed[name]!r} now."
        return self._suggestions.did_you_mean(name, "Its skills")


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
    yield from _same_ports(spec, skills)
    yield from _same_service_names(spec, skills)


def _same_ports(spec: Mapping[str, Any], skills: list[str]) -> Iterable[InitErrorDetails]:
    ports: dict[int, str] = {}
    for name in skills:
        port = _get(_get(spec["skills"][name], "serving"), "port")
        if isinstance(port, int) and ports.setdefault(port, name) != name:
            yield detail(
                f"two skills must not have the same port; got {port} for {ports[port]!r} and {name!r}. "
                "Give one of them another port.",
                ("skills", name, "serving", "port"),
                port,
            )


def _same_service_names(spec: Mapping[str, Any], skills: list[str]) -> Iterable[InitErrorDetails]:
    """Yield an error for each `serviceName` that is the Service of another skill: by its own setting or by default."""
    named: dict[str, str] = {}  # the first skill with each serviceName
    by_default: dict[str, list[str]] = {}
    for name in skills:
        service = _get(_get(spec["skills"][name], "serving"), "serviceName")
        if isinstance(service, str):
            named.setdefault(service, name)
        elif service is None:
            was = _get(spec["skills"][name], "was")
            by_default.setdefault(was if isinstance(was, str) and was else name, []).append(name)
    for name in skills:
        service = _get(_get(spec["skills"][name], "serving"), "serviceName")
        if not isinstance(service, str):
            continue
        others = by_default.get(service, [])
        first = named[service]
        if first == name and not others:
            continue
        other = first if first != name else others[0]
        why = ""
        if other != first:
            kept = _get(spec["skills"][other], "was")
            why = (
                " (a renamed skill keeps its Service by default)"
                if kept
                else " (a skill's Service has the name of the skill by default)"
            )
        yield detail(
            f"two skills must not have the same serviceName; got {service!r} for {other!r} and {name!r}{why}. "
            "Rename one of them.",
            ("skills", name, "serving", "serviceName"),
            service,
        )


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
    unknown = _UnknownSkills(spec, skills)
    for name in further if isinstance(further, Mapping) else ():
        if name not in spec["skills"]:
            yield detail(
                f"`deploy.skills` must name skills of the fleet; got {name!r}.{unknown.hint(name)}",
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
    python_name = _python_name(field)
    if isinstance(mapping, Mapping):
        return mapping.get(field, mapping.get(python_name))
    return getattr(mapping, python_name, None)


@cache
def _python_name(field: str) -> str:
    return re.sub(r"[A-Z]", lambda capital: f"_{capital.group().lower()}", field)
