"""Messages for the errors of pydantic: the setting as the file spells it, the rule, the value, the way out."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic_core import ErrorDetails

from coachworks.fleet.rules import RULE
from coachworks.fleet.schema import describe, known_keys
from coachworks.fleet.yaml_tree import Node, kind_of
from coachworks.wording import counted, did_you_mean, joined

_TYPES = {
    "string_type": "text",
    "string_unicode": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "dict_type": "a mapping of names to values",
    "model_type": "a mapping of names to values",
    "model_attributes_type": "a mapping of names to values",
}
_RULES = {
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "finite_number": "a finite number",
    "string_too_short": "text of at least {min_length} character",
}


def message(error: ErrorDetails, location: Sequence[int | str], node: Node) -> str:
    """Return the message of a problem.

    Args:
        error: The error of pydantic.
        location: Keys of the setting, from the root of the file.
        node: The value there; where it is missing, the nearest one above.
    """
    kind, context = error["type"], error.get("ctx", {})
    name = spell(location)
    if kind == RULE:
        return error["msg"]
    if kind == "missing":
        about = describe(location)
        return f"`{name}` is missing. Add `{location[-1]}`" + (f": {_lower(about)}" if about else ".")
    if kind == "extra_forbidden":
        return _unknown_key(location)
    if kind in _TYPES:
        return _wrong_type(name, _TYPES[kind], node)
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", str(context["expected"]))
        rule = f"`{name}` must be {joined(choices, 'or')}"
        return f"{rule}; got {error['input']!r}.{did_you_mean(error['input'], choices)}"
    if kind in _RULES:
        return f"`{name}` must be {_RULES[kind].format(**context)}; got {error['input']!r}"
    if kind == "too_short":
        length, least = context["actual_length"], context["min_length"]
        return f"`{name}` must have at least {counted(least, 'entry', 'entries')}; it has {length}"
    if kind == "string_pattern_mismatch":
        return f"`{name}` must fit its description, {_lower(describe(location)).rstrip('.')}; got {error['input']!r}"
    return f"`{name}`: {_lower(error['msg'])}; got {error['input']!r}"


def spell(location: Sequence[int | str]) -> str:
    """Return a location as people write it.

    >>> spell(["spec", "skills", "wheel", "labels", 2])
    'spec.skills.wheel.labels[2]'
    """
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).removeprefix(".")


def _unknown_key(location: Sequence[int | str]) -> str:
    key, known = location[-1], known_keys(location[:-1])
    where = f" in `{spell(location[:-1])}`" if len(location) > 1 else ""
    return f"unknown key {key!r}{where}." + (did_you_mean(key, known) or f" Known there: {', '.join(known)}.")


def _wrong_type(name: str, expected: str, node: Node) -> str:
    value: Any = node.value
    if value is None and not node.text:
        return f"`{name}` must be {expected}; it is empty"
    if expected == "text" and node.text:
        return f'`{name}` must be text; YAML reads {node.text} as {kind_of(value)}. Quote it: "{node.text}".'
    if isinstance(value, str) and expected.endswith("number") and node.text is None:
        return f"`{name}` must be {expected}; got the text {value!r}. Remove the quotes."
    got = repr(value) if isinstance(value, (str, int, float)) else kind_of(value)
    return f"`{name}` must be {expected}; got {got}"


def _lower(sentence: str) -> str:
    return sentence if sentence[1:2].isupper() else sentence[:1].lower() + sentence[1:]
