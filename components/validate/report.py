"""What validate reports."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from validation import Finding, Verdict


@dataclass(frozen=True, kw_only=True)
class ValidateReport:
    """The verdicts.

    Attributes:
        skills: By skill: whether it may train, what stops it, what to look at. Only skills that passed go on.
        findings: Everything that was found, notes and findings of the whole fleet among it.
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
