"""Values of the fleet file, checked against the schema of charts/fleet as Helm will: on top of the chart's defaults."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from coachworks.bundled_files import bundled_file
from coachworks.fleet.deploy import OWN_VALUES
from coachworks.fleet.error_messages import spell
from coachworks.fleet.model import Fleet
from coachworks.wording import did_you_mean, joined

_CHART = "charts/fleet"
# Values of a skill that `coachworks deploy` computes from the rest of the fleet file.
_OWN_OF_SKILL = ("layout", "moving", "port", "serviceName", "run", "model")
_SHOWN = 12  # known names in a message

Location = tuple[str | int, ...]


def value_problems(fleet: Fleet) -> Iterator[tuple[Location, str]]:
    """Yield (location, message) for each value under `spec.deploy` that the chart refuses.

    Args:
        fleet: The fleet.
    """
    if not fleet.spec.deploy.values and not fleet.spec.deploy.skills:
        return
    from ruamel.yaml import YAML

    chart = bundled_file(_CHART)
    schema: dict[str, Any] = json.loads((chart / "values.schema.json").read_text("utf-8"))
    defaults: dict[str, Any] = YAML(typ="safe", pure=True).load((chart / "values.yaml").read_text("utf-8"))
    place: Location = ("spec", "deploy", "values")
    yield from _problems(schema, schema, fleet.spec.deploy.values, defaults, OWN_VALUES, place)
    for name, values in fleet.spec.deploy.skills.items():
        place = ("spec", "deploy", "skills", name)
        yield from _problems(schema, schema["definitions"]["skill"], values, {}, _OWN_OF_SKILL, place)


def _problems(
    schema: Mapping[str, Any],
    part: Mapping[str, Any],
    values: Mapping[str, Any],
    defaults: Mapping[str, Any],
    own: tuple[str, ...],
    place: Location,
) -> Iterator[tuple[Location, str]]:
    """Yield the problems of `values`, whose schema is `part` of the chart's."""
    from jsonschema import Draft7Validator

    for name, value in values.items():
        if name not in part["properties"]:
            yield (*place, name), _unknown((*place, name), [known for known in part["properties"] if known not in own])
            continue
        whole = {"definitions": schema["definitions"], **part["properties"][name]}
        for error in Draft7Validator(whole).iter_errors(_merged(defaults.get(name), value)):
            yield from _described(error, (*place, name))


def _merged(default: Any, value: Any) -> Any:
    """Return a value on top of the chart's default, as Helm merges them: null removes a key."""
    if not isinstance(default, Mapping) or not isinstance(value, Mapping):
        return value
    merged = {**default, **{key: _merged(default.get(key), each) for key, each in value.items()}}
    return {key: each for key, each in merged.items() if each is not None or key not in value}


def _described(error: Any, place: Location) -> Iterator[tuple[Location, str]]:
    """Yield the problems that an error of jsonschema means."""
    location = (*place, *error.absolute_path)
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", ()))
        yield from (
            ((*location, name), _unknown((*location, name), known)) for name in error.instance if name not in known
        )
    else:
        about = str(error.schema.get("description", "")).rstrip(".")
        yield (
            location,
            f"`{spell(location)}` is refused by {_CHART}: {error.message}." + (f" {about}." if about else ""),
        )


def _unknown(location: Location, known: list[str]) -> str:
    return f"{_CHART} has no value `{spell(location[3:])}`." + (
        did_you_mean(location[-1], known) or f" Known there: {joined(known, most=_SHOWN)}."
    )
