"""Rules as data: `validation.suite` turns a rule into an expectation, and its result into a finding."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coachworks.wording import counted
from validation.findings import Severity

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Rows that break a rule.

    Attributes:
        rows: The rows with all their columns; empty if the expectation is about the whole table.
        share: Share of the evaluated rows that break the rule, in [0, 1].
        skill: The skill of these rows, or None.
    """

    rows: Sequence[Row]
    share: float
    skill: str | None = None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule about a table.

    Attributes:
        check: Name of the check, for the finding.
        title: The rule in words.
        table: Name of the table.
        expectation: Class name of the expectation, of Great Expectations or of `validation.suite.custom_expectations`.
        arguments: Arguments of the expectation.
        severity: Severity of the finding.
        message: Returns the message of the finding.
        way_out: Remedy.
        per_skill: True if each skill gets a finding of its own, from its rows of the table.
        where: Evaluate only rows with these values.
        tolerated_share: Share of rows up to which the finding has `tolerated_severity` instead of `severity`.
        tolerated_severity: See `tolerated_share`.
        details: Returns the lines of the finding.
        pairs: Pairs of photos; the finding shows those with one of its photos.
    """

    check: str
    title: str
    table: str
    expectation: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity
    message: Callable[[Outcome], str]
    way_out: str
    per_skill: bool = False
    where: Mapping[str, Any] = field(default_factory=dict)
    tolerated_share: float = 0.0
    tolerated_severity: Severity = Severity.WARNING
    details: Callable[[Outcome], Sequence[str]] = lambda outcome: ()
    pairs: tuple[tuple[str, str], ...] = ()


def photos_in(outcome: Outcome) -> str:
    """Return the number of photos that break the rule, with the noun."""
    return counted(len(outcome.rows), "photo")
