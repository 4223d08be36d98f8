"""Findings: problems in the data, their severity and the way out; and the verdict on a skill."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from coachworks.wording import noun_for

SHOWN_EXAMPLES = 50  # examples kept per finding; the tables hold the rest


class Severity(StrEnum):
    """Severity of a finding, from the worst."""

    FAILURE = "failure"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A problem in the data, or a note about them.

    Attributes:
        check: Name of the check, as in the guide.
        severity: A failure stops the skill, and so does a warning if the skill is critical.
        skill: Name of the skill; None: the whole fleet.
        message: The problem, the rule and the numbers.
        way_out: Remedy.
        photo_ids: The photos concerned.
        pairs: Pairs of photos that look alike, if the finding is about pairs.
        details: One line per item, if names are more useful than a number.
        count: Number of items: photos, pairs or labels.
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
        """Return the finding with at most `SHOWN_EXAMPLES` examples."""
        return replace(
            self,
            photo_ids=self.photo_ids[:SHOWN_EXAMPLES],
            pairs=self.pairs[:SHOWN_EXAMPLES],
            details=self.details[:SHOWN_EXAMPLES],
        )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Verdict on the data of a skill.

    Attributes:
        passed: True if the skill may train.
        failures: Findings that stop the skill, including those of the whole fleet.
        warnings: Findings of the skill that a person should check.
    """

    passed: bool
    failures: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    def shortened(self) -> "Verdict":
        """Return the verdict with at most `SHOWN_EXAMPLES` examples per finding."""
        return replace(
            self,
            failures=tuple(finding.shortened() for finding in self.failures),
            warnings=tuple(finding.shortened() for finding in self.warnings),
        )


def judge_skill(skill: str, findings: Iterable[Finding], *, critical: bool, photo_ids: frozenset[str]) -> Verdict:
    """Return the verdict on one skill.

    A failure of the whole fleet stops every skill. For a critical skill, every warning of its own is a failure, and so
    is every warning of the whole fleet that concerns its photos.

    Args:
        skill: Name of the skill.
        findings: All findings.
        critical: True if the skill's tier is `critical`.
        photo_ids: The photos with a label of the skill.
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
            message=f"{finding.message} {len(touched):,} of them {noun_for(len(touched), 'belongs', 'belong')} "
            "to this critical skill.",
            photo_ids=touched,
            pairs=tuple(pair for pair in finding.pairs if photo_ids.intersection(pair)),
            count=len(touched),
        )
    else:
        yield replace(
            finding, severity=Severity.FAILURE, skill=skill, message=f"{finding.message} The skill is critical."
        )
