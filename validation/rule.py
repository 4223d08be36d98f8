"""What a rule is: plain data that `validation.suite` turns into an expectation, and its result into a finding."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from validation.findings import Severity
from validation.wording import counted

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What Great Expectations found to be otherwise than expected.

    Attributes:
        rows: The unexpected rows with all their columns; none where the expectation is about the table.
        share: Share of the judged rows that are unexpected, in [0, 1].
        skill: The skill that these rows are about, or None.
    """

    rows: Sequence[Row]
    share: float
    skill: str | None = None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Something that must hold of a table.

    Attributes:
        check: Name of the check; findings carry it.
        title: The rule in words.
        table: Name of the table.
        expectation: Class name of the expectation.
        arguments: Its arguments.
        severity: How bad it is when it does not hold.
        says: Message of the finding.
        way_out: What to do.
        per_skill: Whether each skill has its own finding, from its own rows of the table.
        where: Only rows with these values are judged.
        tolerated: Share of unexpected rows up to which `mild` holds instead of `severity`.
        mild: See `tolerated`.
        details: Lines of the finding.
        pairs: Pairs of photos, of which the finding shows those it concerns.
    """

    check: str
    title: str
    table: str
    expectation: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity
    says: Callable[[Outcome], str]
    way_out: str
    per_skill: bool = False
    where: Mapping[str, Any] = field(default_factory=dict)
    tolerated: float = 0.0
    mild: Severity = Severity.WARNING
    details: Callable[[Outcome], Sequence[str]] = lambda outcome: ()
    pairs: tuple[tuple[str, str], ...] = ()


def photos_in(outcome: Outcome) -> str:
    """How many photos are otherwise, with the noun."""
    return counted(len(outcome.rows), "photo")
