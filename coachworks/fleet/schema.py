"""The fleet file's JSON Schema, for the completion of editors and for the known keys of each mapping."""

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

from coachworks.fleet.model import Fleet

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def fleet_schema() -> dict[str, Any]:
    """Return the JSON Schema of a fleet file.

    It holds names, types, ranges and choices. Rules between values are in the model only.
    """
    schema = Fleet.model_json_schema(by_alias=True)
    for part in (schema, *schema["$defs"].values()):
        for field in part.get("properties", {}).values():
            field.pop("title", None)  # repeats the name: noise in an editor
            if "patternProperties" in field:
                field["additionalProperties"] = False
    return {
        "$schema": DIALECT,
        "title": "Fleet file of coachworks",
        **{k: v for k, v in schema.items() if k != "title"},
    }


def known_keys(location: Sequence[int | str]) -> list[str]:
    """Return the keys that the mapping at `location` may have; empty where it may have any.

    >>> known_keys(["metadata"])
    ['name']
    """
    return list(_part_at(location).get("properties", ()))


def describe(location: Sequence[int | str]) -> str:
    """Return the description of the value at `location`; empty where there is none."""
    part = _part_at(location, follow_last=False)
    return str(part.get("description") or _follow(part).get("description", ""))


@cache
def _schema() -> dict[str, Any]:
    return fleet_schema()


def _part_at(location: Sequence[int | str], *, follow_last: bool = True) -> dict[str, Any]:
    part: dict[str, Any] = _schema()
    for step in location:
        part = _follow(part)
        if isinstance(step, int):
            part = part.get("items", {})
        else:
            named = part.get("patternProperties", {}).values()
            part = part.get("properties", {}).get(step) or next(iter(named), {})
    return _follow(part) if follow_last else part


def _follow(part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in part:
        return _follow(_schema()["$defs"][part["$ref"].rsplit("/", 1)[1]])
    for choice in part.get("anyOf", ()):
        if choice.get("type") != "null":
            return _follow(cast("dict[str, Any]", choice))
    return part
