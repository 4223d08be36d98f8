"""Options that several commands share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from coachworks.errors import InvalidConfigError
from coachworks.wording import Suggestions

if TYPE_CHECKING:
    from coachworks.fleet.model import Fleet

F = TypeVar("F", bound=Callable[..., Any])


def fleet_option(function: F) -> F:
    """Add the option `-f/--file`: the fleet file, by default `./fleet.yaml`."""
    return click.option(
        "-f",
        "--file",
        "file",
        type=click.Path(path_type=Path),
        default=Path("fleet.yaml"),
        show_default=True,
        help="The fleet file.",
    )(function)


def pod_timeout_option(function: F) -> F:
    """Add the option `--pod-timeout`: how long a pod of a run may be unable to start."""
    return click.option(
        "--pod-timeout",
        "pod_timeout_s",
        type=click.IntRange(min=0),
        default=600,
        show_default=True,
        metavar="SECONDS",
        help="With --wait: longest wait for a pod without a node or quota; at most 120 where waiting is no use.",
    )(function)


def json_option(function: F) -> F:
    """Add the option `--json`: one document on standard output, everything else on standard error."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")(function)


def known_skills(fleet: "Fleet", names: Sequence[str]) -> list[str] | None:
    """Return the skills named on the command line; None, which means all, where none is named.

    Raises:
        InvalidConfigError: the fleet has no skill of that name.
    """
    for name in names:
        if name not in fleet.spec.skills:
            hint = Suggestions(fleet.spec.skills).did_you_mean(name, "Its skills")
            raise InvalidConfigError(f"skill must be one of the fleet {fleet.name!r}; got {name!r}.{hint}")
    return list(names) or None
