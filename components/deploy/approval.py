"""Approval: a person has looked at a model version and says that it may be deployed; a critical skill needs that."""

from collections.abc import Mapping
from dataclasses import dataclass

from coachworks.fleet.model import Fleet
from coachworks.progress import SILENT, Progress
from components.register.observed import Version


@dataclass(frozen=True, kw_only=True)
class Approval:
    """Who approved a version, when, and which file that was.

    Attributes:
        by: Who.
        at: When, ISO 8601, UTC.
        digest: SHA-256 of the head, as it was registered then.
        note: What was said.
    """

    by: str
    at: str
    digest: str
    note: str = ""


def approval_of(tags: Mapping[str, str]) -> Approval | None:
    """The approval that a version's tags tell of, whatever its digest is now."""
    raise NotImplementedError


def missing(fleet: Fleet, versions: Mapping[str, Version]) -> dict[str, str]:
    """Why critical skills must not be deployed yet, by skill.

    Args:
        fleet: Says which skills are critical.
        versions: By skill, the version that shall be deployed, with its tags.
    """
    raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Approved:
    """What was approved: for a person to see.

    Attributes:
        model: Name of the registered model.
        version: The version.
        approval: The approval.
        needed: Whether a deployment asks for it: the skill is critical.
        facts: What is known of the version: what, and how much.
        page: Address of its page in MLflow; None where that is embedded.
    """

    model: str
    version: str
    approval: Approval
    needed: bool
    facts: Mapping[str, str]
    page: str | None


def approve(
    fleet: Fleet, skill: str, version: str, *, by: str, note: str = "", progress: Progress = SILENT
) -> Approved:
    """Record in MLflow that a person approves a version.

    Raises:
        InvalidConfigError: the skill is none of the fleet's, `by` is empty, or `version` is no number.
        NotFoundError: there is no such version.
        DataError: the version does not say which head it is.
    """
    raise NotImplementedError


def revoke(fleet: Fleet, skill: str, version: str, *, by: str, note: str = "") -> Approval | None:
    """Take an approval back; the one that was taken back, or None where there was none."""
    raise NotImplementedError
