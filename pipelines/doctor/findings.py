"""Findings of checks, without secrets."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError

LOCAL, POD = "local", "pod"  # the two sides that make the checks
_SECRET_NAMES = re.compile(r"(SECRET|PASSWORD|TOKEN|CREDENTIAL)(?!.*(_PATH|_FILE|_URI|_URL)$)")
_CREDENTIALS_IN_URL = re.compile(r"(?<=://)[^/@\s'\"]+(?=@)")
_HIDDEN = "…"
_MIN_SECRET = 4  # characters: a shorter value also occurs within ordinary words


class Status(StrEnum):
    """Status of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Finding of one check.

    Attributes:
        subject: What was checked, such as `store: write`; the same on both sides.
        status: Status of the check.
        summary: The finding in a few words.
        way_out: What to do about it, in a sentence; empty if there is nothing to do.
    """

    subject: str
    status: Status
    summary: str
    way_out: str = ""


def ok(subject: str, summary: str) -> Finding:
    """Return the finding of a check that passed."""
    return Finding(subject=subject, status=Status.OK, summary=redacted(summary))


def warning(subject: str, summary: str, way_out: str) -> Finding:
    """Return the finding of a check that passed with a reservation."""
    return Finding(subject=subject, status=Status.WARNING, summary=redacted(summary), way_out=redacted(way_out))


def failed(subject: str, summary: str, way_out: str) -> Finding:
    """Return the finding of a check that failed."""
    return Finding(subject=subject, status=Status.FAILED, summary=redacted(summary), way_out=redacted(way_out))


def skipped(subject: str, reason: str) -> Finding:
    """Return the finding of a check that was not made."""
    return Finding(subject=subject, status=Status.SKIPPED, summary=reason)


def from_error(subject: str, err: Exception) -> Finding:
    """Return the finding of a check that raised an error; errors of coachworks end with the way out."""
    if isinstance(err, TransientError):
        summary = "no answer"
    elif isinstance(err, NotFoundError):
        summary = "does not exist"
    elif isinstance(err, InvalidConfigError):
        summary = "refused"
    else:
        summary = "fails"
    message = str(err) if isinstance(err, CoachworksError) else f"{type(err).__name__}: {err}"
    return failed(subject, summary, message or type(err).__name__)


class Checks:
    """Findings of checks that depend on one another.

    Attributes:
        findings: The findings so far.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def add(self, *findings: Finding) -> None:
        """Add findings."""
        self.findings.extend(findings)

    @contextmanager
    def checking(self, subject: str, *, dependents: tuple[str, ...] = ()) -> Iterator[None]:
        """Turn any error in the `with` block into a failed check.

        Args:
            subject: What is checked.
            dependents: Checks that a failure makes impossible; they are skipped.
        """
        try:
            yield
        except Exception as err:  # the outermost loop: a failing check must not end the others
            self.add(from_error(subject, err), *(skipped(name, f"needs {subject}") for name in dependents))

    @property
    def failed(self) -> bool:
        """True if any check failed."""
        return any(finding.status is Status.FAILED for finding in self.findings)


def redacted(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return `text` without the secrets of the environment and without credentials in URLs."""
    for name, value in environ.items():
        if len(value) >= _MIN_SECRET and _SECRET_NAMES.search(name):
            text = text.replace(value, _HIDDEN)
    return _CREDENTIALS_IN_URL.sub(_HIDDEN, text)
