"""Durations as people type them: `7d`, `12h`."""

import re
from datetime import timedelta
from typing import Any

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Duration(click.ParamType):  # type: ignore[type-arg] # generic from click 8.4 on only
    """`7d`, `12h`, `30m`, `45s` or `2w`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the duration that was typed."""
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(r"(\d{1,5})\s*([smhdw])", str(value).strip().lower())
        if match is None:
            self.fail(f"must be a number with a unit, as 7d, 12h, 30m or 2w; got {value!r}", param, ctx)
        return timedelta(**{_UNITS[match.group(2)]: int(match.group(1))})
