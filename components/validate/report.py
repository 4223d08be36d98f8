"""The report of validate."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from validation.findings import Finding, Verdict


@dataclass(frozen=True, kw_only=True)
class ValidateReport:
    """The verdicts on the photos and labels.

    Attributes:
        skills: Verdict by skill, with failures and warnings. Only skills that passed go on.
        findings: All findings, including notes and those about the whole fleet.
        photos: Photos judged.
        expectations: Expectations judged.
        near_duplicates: Pairs of photos of different sets that look alike.
    """

    STEP: ClassVar[str] = "validate"

    skills: Mapping[str, Verdict]
    findings: tuple[Finding, ...]
    photos: int
    expectations: int
    near_duplicates: int
