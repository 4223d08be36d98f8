"""What a check found, in words that hold no secret."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError

_SECRET_NAMES = re.compile(r"(SECRET|PASSWORD|TOKEN|CREDENTIAL)(?!.*(_PATH|_FILE|_URI|_URL)$)")
_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s'\"]+(?=@)")
_HIDDEN = "…"
_SHORTEST_SECRET = 4  # what is shorter stands in ordinary words too


class Verdict(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        what: What was looked at, such as `store: write`; the same on every side.
        verdict: How it went.
        said: What was found, in a few words.
        way_out: What to do about it, in a sentence; empty where nothing is.
    """

    what: str
    verdict: Verdict
    said: str
    way_out: str = ""


def found(
    what: str, said: str, way_out: str = "", verdict: Verdict | None = None, environ: Mapping[str, str] = os.environ
) -> Finding:
    """A finding without the secrets of the environment: failed where there is a way out, unless told otherwise."""
    verdict = verdict or (Verdict.FAILED if way_out else Verdict.OK)
    return Finding(what=what, verdict=verdict, said=redacted(said, environ), way_out=redacted(way_out, environ))


def skipped(what: str, because: str) -> Finding:
    """A check that could not be made."""
    return Finding(what=what, verdict=Verdict.SKIPPED, said=because)


def failed(what: str, err: Exception) -> Finding:
    """What an error says: our own errors end with the way out."""
    if isinstance(err, TransientError):
        said = "no answer"
    elif isinstance(err, NotFoundError):
        said = "not there"
    elif isinstance(err, InvalidConfigError):
        said = "refused"
    else:
        said = "fails"
    told = str(err) if isinstance(err, CoachworksError) else f"{type(err).__name__}: {err}"
    return found(what, said, told or type(err).__name__, Verdict.FAILED)


class Checks:
    """The findings of checks that build on one another: what fails is a finding, and ends what depends on it."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def add(self, *findings: Finding) -> None:
        """Take a finding in."""
        self.findings.extend(findings)

    @contextmanager
    def about(self, what: str, *, then: tuple[str, ...] = ()) -> Iterator[None]:
        """Whatever is raised within becomes a finding about `what`.

        Args:
            what: What is looked at.
            then: What cannot be looked at after a failure.
        """
        try:
            yield
        except Exception as err:  # the outermost loop: a check that breaks must not take the others along
            self.add(failed(what, err), *(skipped(name, f"needs {what}") for name in then))

    @property
    def broken(self) -> bool:
        """Whether anything failed."""
        return any(finding.verdict is Verdict.FAILED for finding in self.findings)


def redacted(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """`text` without the secrets of the environment and without credentials in addresses."""
    for name, value in environ.items():
        if len(value) >= _SHORTEST_SECRET and _SECRET_NAMES.search(name):
            text = text.replace(value, _HIDDEN)
    return _IN_ADDRESS.sub(_HIDDEN, text)
