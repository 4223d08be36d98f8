"""Findings: what was seen in the data, how bad it is, and the way out."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

SHOWN_EXAMPLES = 50  # enough to look at; the tables hold the rest


class Severity(StrEnum):
    """How bad a finding is."""

    FAILURE = "failure"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something in the data that somebody should know.

    Attributes:
        check: Name of the check, as in the guide.
        severity: A failure stops the skill; so does a warning where the skill is critical.
        skill: The skill it concerns, or None: the whole fleet.
        message: What was found, the rule, the numbers.
        way_out: What to do about it.
        photo_ids: The photos concerned.
        pairs: Pairs of photos that look alike, where the finding is about pairs.
        details: One line for each thing found, where names say more than a number.
        count: How many things were found: photos, pairs or labels.
    """

    check: str
    severity: Severity
    skill: str | None
    message: str
    way_out: str
    photo_ids: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    details: tuple[str, ...] = ()
    count: int = 0

    def shortened(self) -> "Finding":
        """The same finding with as many examples as a reader looks at."""
        return replace(
            self,
            photo_ids=self.photo_ids[:SHOWN_EXAMPLES],
            pairs=self.pairs[:SHOWN_EXAMPLES],
            details=self.details[:SHOWN_EXAMPLES],
        )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a skill may train.

    Attributes:
        passed: Nothing stops it.
        failures: Findings that stop the skill, those of the whole fleet among them.
        warnings: Findings of the skill that somebody should look at.
    """

    passed: bool
    failures: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    def shortened(self) -> "Verdict":
        """The same verdict with as many examples as a reader looks at."""
        return replace(
            self,
            failures=tuple(finding.shortened() for finding in self.failures),
            warnings=tuple(finding.shortened() for finding in self.warnings),
        )


def judge_skill(skill: str, findings: Iterable[Finding], *, critical: bool, photo_ids: frozenset[str]) -> Verdict:
    """The verdict on one skill.

    A failure of the whole fleet stops every skill. For a critical skill every warning is a failure: its own, and
    those of the whole fleet as far as they touch its photos.

    Args:
        skill: Name of the skill.
        findings: All findings.
        critical: Whether the skill's tier is `critical`.
        photo_ids: The photos that the skill has labels for.
    """
    failures: list[Finding] = []
    warnings: list[Finding] = []
    for finding in findings:
        if finding.skill not in {skill, None}:
            continue
        if finding.severity is Severity.FAILURE:
            failures.append(finding)
        elif finding.severity is Severity.WARNING and critical:
            failures.extend(_escalated(finding, skill, photo_ids))
        elif finding.severity is Severity.WARNING and finding.skill == skill:
            warnings.append(finding)
    return Verdict(passed=not failures, failures=tuple(failures), warnings=tuple(warnings))


def _escalated(finding: Finding, skill: str, photo_ids: frozenset[str]) -> Iterable[Finding]:
    if finding.skill is None and finding.photo_ids:
        touched = tuple(photo_id for photo_id in finding.photo_ids if photo_id in photo_ids)
        if not touched:
            return
        yield replace(
            finding,
            severity=Severity.FAILURE,
            skill=skill,
            message=f"{finding.message} {len(touched):,} of them {'belongs' if len(touched) == 1 else 'belong'} "
            "to this critical skill.",
            photo_ids=touched,
            pairs=tuple(pair for pair in finding.pairs if photo_ids.intersection(pair)),
            count=len(touched),
        )
    else:
        yield replace(
            finding, severity=Severity.FAILURE, skill=skill, message=f"{finding.message} The skill is critical."
        )
