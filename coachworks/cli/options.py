"""Options that several commands share."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from coachworks.errors import InvalidConfigError

if TYPE_CHECKING:
    from coachworks.fleet.model import Fleet

F = TypeVar("F", bound=Callable[..., Any])


def fleet_option(function: F) -> F:
    """`-f/--file`: the fleet file, `./fleet.yaml` unless told."""
    return click.option(
        "-f",
        "--file",
        "file",
        type=click.Path(path_type=Path),
        default=Path("fleet.yaml"),
        show_default="./fleet.yaml",
        help="The fleet file.",
    )(function)


def json_option(function: F) -> F:
    """`--json`: one document on standard output, everything else on standard error."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")(function)


def known_skills(fleet: "Fleet", names: Sequence[str]) -> list[str] | None:
    """The skills that a person named, or None where none is named, which means all.

    Raises:
        InvalidConfigError: the fleet has no skill of that name.
    """
    for name in names:
        if name not in fleet.spec.skills:
            close = get_close_matches(name, fleet.spec.skills, n=1)
            hint = f"Did you mean `{close[0]}`?" if close else f"Its skills: {', '.join(fleet.spec.skills)}."
            raise InvalidConfigError(f"skill must be one of the fleet {fleet.name!r}; got {name!r}. {hint}")
    return list(names) or None
