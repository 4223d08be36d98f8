"""Spans of time as people type them."""

import re
from datetime import timedelta
from typing import Any

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Duration(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on only
    """`7d`, `12h`, `30m`, `45s` or `2w`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The span of time that `value` says."""
        if isinstance(value, timedelta):
            return value
        told = re.fullmatch(r"(\d{1,5})\s*([smhdw])", str(value).strip().lower())
        if told is None:
            self.fail(f"must be a number with a unit, as 7d, 12h, 30m or 2w; got {value!r}", param, ctx)
        return timedelta(**{_UNITS[told.group(2)]: int(told.group(1))})
