"""Rules that one value of the fleet file alone cannot break: labels against labels, skills against skills."""

import difflib
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast, get_args

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ErrorType

# Columns that a table of photos has besides those of its skills, and pages that every fleet has.
RESERVED_SKILLS = ("box", "file", "filename", "fleet", "index", "path", "permission", "source", "split")
RULE = "fleet_rule"  # pydantic's `type` of an error whose message is whole and ours
Location = tuple[int | str, ...]
_STANDARD_ERRORS = frozenset(get_args(ErrorType))


def broken(message: str) -> PydanticCustomError:
    """An error for pydantic whose message is `message`, word for word."""
    return PydanticCustomError(RULE, "{message}", {"message": message})


def detail(message: str, location: Location, value: object) -> InitErrorDetails:
    """An error of `value` at `location`, relative to the value under validation."""
    return InitErrorDetails(type=broken(message), loc=location, input=value)


def raise_all(title: str, details: Sequence[InitErrorDetails], *, further: ValidationError | None = None) -> None:
    """Raise `details`, and what `further` holds, as one error; nothing if there is nothing.

    Raises:
        ValidationError: there is at least one error. Pydantic puts the place of the validator before each location.
    """
    everything = [*details]
    for error in further.errors(include_url=False) if further else ():
        kind: str | PydanticCustomError = error["type"]
        if kind not in _STANDARD_ERRORS:
            kind = broken(error["msg"])
        everything.append(
            InitErrorDetails(type=kind, loc=error["loc"], input=error["input"], ctx=error.get("ctx") or {})
        )
    if everything:
        raise ValidationError.from_exception_data(title, everything) from further


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """` Did you mean `x`?`, or nothing when no known name is close.

    >>> did_you_mean("imagequality", ["image-quality", "wheel"])
    ' Did you mean `image-quality`?'
    """
    folded = {fold(other): other for other in known}
    close = difflib.get_close_matches(fold(str(name)), folded, n=1, cutoff=0.6)
    return f" Did you mean `{folded[close[0]]}`?" if close else ""


def fold(label: str) -> str:
    """What a reader sees in a label: no case, no surrounding or repeated space, one Unicode form.

    >>> fold(" Close-Up ") == fold("close-up")
    True
    """
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold()).split())


def check_labels(labels: list[str]) -> list[str]:
    """`labels`, if each is fit to be a class and no two are the same to a reader.

    Raises:
        ValidationError: for every label that is not.
    """
    details: list[InitErrorDetails] = []
    seen: dict[str, int] = {}
    for index, label in enumerate(labels):
        first = labels[seen.setdefault(fold(label), index)]
        repeats = seen[fold(label)] != index
        if not fold(label) or any(unicodedata.category(character) == "Cc" for character in label):
            details.append(detail(f"a label must be printable text; got {label!r}", (index,), label))
        elif repeats and first == label:
            details.append(detail(f"label {label!r} must be listed once. Remove the second one.", (index,), label))
        elif repeats:
            details.append(
                detail(
                    f"labels must differ in more than case, spaces or Unicode form; got {first!r} and {label!r}. "
                    "Keep one of them, and use it in the tables too.",
                    (index,),
                    label,
                )
            )
        elif label != label.strip():
            details.append(detail(f"a label must have no space around it; got {label!r}", (index,), label))
    raise_all("labels", details)
    return labels


def check_unsure(unsure: str, labels: Sequence[str]) -> str:
    """`unsure`, if it is not one of the labels.

    Raises:
        PydanticCustomError: it is one.
    """
    if fold(unsure) in {fold(label) for label in labels}:
        raise broken(
            f"the answer `unsure` must not be among the labels, since it never becomes a class; got {unsure!r}. "
            "Remove it from `labels`."
        )
    return unsure


def check_similar(similar: list[list[str]], labels: Sequence[str]) -> list[list[str]]:
    """`similar`, if every group names at least two different labels of the skill.

    Raises:
        ValidationError: for every group or name that does not.
    """
    details: list[InitErrorDetails] = []
    for index, group in enumerate(similar):
        if len(set(group)) < 2:
            details.append(
                detail(
                    f"a group of similar labels must name at least two different labels; got {group!r}", (index,), group
                )
            )
        details.extend(
            detail(
                f"`similar` must name labels of the skill; {label!r} is not among them."
                + (did_you_mean(label, labels) or f" Its labels: {', '.join(labels)}."),
                (index, place),
                label,
            )
            for place, label in enumerate(group)
            if label not in labels
        )
    raise_all("similar", details)
    return similar


def check_bucket_address(address: str) -> str:
    """`address`, if it is `s3://bucket` or `s3://bucket/prefix`.

    Raises:
        PydanticCustomError: it is not.
    """
    bucket, _, key = address.removeprefix("s3://").partition("/")
    if not re.fullmatch(r"[a-z0-9][-a-z0-9._]{1,61}[a-z0-9]", bucket):
        raise broken(
            "an address of a bucket must be s3://bucket/prefix, the bucket named by 3 to 63 lower-case letters, "
            f"digits, dots and hyphens; got {address!r}"
        )
    if re.search(r"[?#]", key) or not {"", ".", ".."}.isdisjoint(key.removesuffix("/").split("/") if key else ()):
        raise broken(
            "a prefix in a bucket must be made of names with single slashes between them, without ? and #; "
            f"got {address!r}"
        )
    return address


def check_spec(spec: Mapping[str, Any]) -> list[InitErrorDetails]:
    """What the parts of `spec`, as yet unvalidated, get wrong together."""
    skills = spec.get("skills")
    if not isinstance(skills, Mapping) or not all(isinstance(name, str) for name in skills):
        return []
    names = cast("list[str]", list(skills))
    return [
        *_sources(spec, names),
        *_sources_in_store(spec),
        *_services(spec, names),
        *_shared_pods(spec, names),
        *_deployed_skills(spec, names),
        *_relaxed_gates(spec, names),
    ]


def imply_skill(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """`spec` with `skill` set on sources without table where the fleet has one skill only."""
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
                f"`skill` must be one of the fleet's; got {skill!r}."
                + (did_you_mean(skill, skills) or f" Its skills: {', '.join(skills)}."),
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
            theirs = _get(_get(spec["skills"][other], "serving"), "serviceName")
            comes_first = skills.index(other) < skills.index(name)
            if other != name and ((service == theirs and comes_first) or (theirs is None and service == other)):
                yield detail(
                    f"two skills must not have the same serviceName; got {service!r} for {other!r} and {name!r}"
                    + (" (a skill's Service is called like the skill by default)" if theirs is None else "")
                    + ". Rename one of them.",
                    ("skills", name, "serving", "serviceName"),
                    service,
                )
                break


def _shared_pods(spec: Mapping[str, Any], skills: list[str]) -> Iterable[InitErrorDetails]:
    """Skills that share pods cannot have settings of their own for them."""
    common = _get(_get(_get(spec, "defaults"), "serving"), "layout") or "shared"
    for name in skills:
        serving = _get(spec["skills"][name], "serving")
        if (_get(serving, "layout") or common) != "shared":
            if name == "shared":
                yield detail(
                    "a skill with pods of its own must not be called 'shared', as the pods of all others are. Rename "
                    "it, or let it have `layout: shared`.",
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
                f"`deploy.skills` must name skills of the fleet; got {name!r}."
                + (did_you_mean(name, skills) or f" Its skills: {', '.join(skills)}."),
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
    """The value of a camelCase `field`, or of its Python name, in what may or may not be a mapping or a model."""
    python_name = re.sub(r"[A-Z]", lambda capital: f"_{capital.group().lower()}", field)
    if isinstance(mapping, Mapping):
        return mapping.get(field, mapping.get(python_name))
    return getattr(mapping, python_name, None)
