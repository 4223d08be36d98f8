"""Reports of steps for tests: the fields that a test is about, and empty values in all others."""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import TypeAdapter

R = TypeVar("R")
EMPTY = {int: 0, float: 0.0, str: "", bool: False}


def report_of(kind: type[R], values: Mapping[str, Any]) -> R:
    """Return a report with `values`, JSON values as the store holds them; required fields that it lacks are empty."""
    return TypeAdapter(kind).validate_python(_complete(kind, values))


def _complete(kind: Any, value: Any) -> Any:
    """Return `value` with the required fields of the dataclasses in it."""
    if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        hints = typing.get_type_hints(kind)
        fields = {field.name: field for field in dataclasses.fields(kind)}
        required = {name for name, field in fields.items() if _is_required(field)}
        filled = {name: _complete(hints[name], value[name]) for name in fields if name in value}
        return {name: _empty(hints[name]) for name in required} | filled
    arguments = typing.get_args(kind)
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return value if value is None else _complete(arguments[0], value)
    if isinstance(value, Mapping) and arguments:
        return {name: _complete(arguments[-1], entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)) and arguments:
        return [_complete(arguments[0], entry) for entry in value]
    return value


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _empty(kind: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _complete(kind, {})
    if origin is typing.Literal:
        return arguments[0]
    if type(None) in arguments:
        return None
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {}
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return []
    return next(iter(kind)) if isinstance(kind, type) and issubclass(kind, str) and kind is not str else EMPTY[kind]
