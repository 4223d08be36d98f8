"""The fleet file's JSON Schema: what editors complete from, and what names are known where."""

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

from coachworks.fleet.model import Fleet

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def fleet_schema() -> dict[str, Any]:
    """The JSON Schema of a fleet file.

    It says what a schema can: names, types, ranges and choices. The rules between values are the model's.
    """
    schema = Fleet.model_json_schema(by_alias=True)
    for part in (schema, *schema["$defs"].values()):
        for field in part.get("properties", {}).values():
            field.pop("title", None)  # the name in other letters: noise in an editor
            if "patternProperties" in field:
                field["additionalProperties"] = False
    return {
        "$schema": DIALECT,
        "title": "Fleet file of coachworks",
        **{k: v for k, v in schema.items() if k != "title"},
    }


def known_keys(location: Sequence[int | str]) -> list[str]:
    """The keys that the mapping at `location` may have; empty where it may have any.

    >>> known_keys(["metadata"])
    ['name']
    """
    return list(_part_at(location).get("properties", ()))


def describe(location: Sequence[int | str]) -> str:
    """What the value at `location` is for, as its field says; empty where nothing is said."""
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
