"""Helm, as coachworks uses it: every call of its command is made here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coachworks.errors import CoachworksError


class HelmError(CoachworksError):
    """Helm refused, in its own words."""


class UnfinishedError(HelmError):
    """An earlier install, upgrade or rollback of the release was not finished: see `Helm.recover`."""


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One line of a release's history.

    Attributes:
        revision: Its number.
        status: `deployed`, `superseded`, `failed`, `pending-install`, `pending-upgrade`, `pending-rollback`,
            `uninstalling`.
        updated: When, as Helm writes it (RFC 3339).
        description: What was said when it was made.
    """

    revision: int
    status: str
    updated: str
    description: str

    @property
    def pending(self) -> bool:
        """Whether whoever made it has not finished (or was killed)."""
        raise NotImplementedError


class Helm:
    """One release in one namespace.

    Args:
        namespace: Where it is.
        release: Its name.
        chart: Folder or package of its chart; needed for `template` and `upgrade`.
        keep: How many revisions its history keeps.
        timeout_s: Longest that one command of helm may take.
    """

    def __init__(
        self, namespace: str, release: str, chart: Path | None = None, *, keep: int = 10, timeout_s: float = 300
    ) -> None: ...

    def version(self) -> str:
        """The version of the command, as 4.1.4."""
        raise NotImplementedError

    def status(self) -> Revision | None:
        """The latest revision, or None where the release is not installed."""
        raise NotImplementedError

    def history(self) -> list[Revision]:
        """The revisions that are kept, oldest first; none where the release is not installed."""
        raise NotImplementedError

    def values(self, revision: int | None = None) -> dict[str, Any]:
        """The values that a revision (the latest) was made with; NotFoundError where there is none."""
        raise NotImplementedError

    def manifest(self, revision: int | None = None) -> str:
        """The objects of a revision (the latest) as YAML; NotFoundError where there is none."""
        raise NotImplementedError

    def template(self, values: Mapping[str, Any]) -> str:
        """The objects that `upgrade` would make of these values, as YAML; asks no cluster."""
        raise NotImplementedError

    def upgrade(self, values: Mapping[str, Any], description: str) -> int:
        """Make a new revision (the first, where there is none); its number. Waits for no pod."""
        raise NotImplementedError

    def rollback(self, revision: int) -> int:
        """Make a new revision equal to an earlier one; its number. Waits for no pod."""
        raise NotImplementedError

    def uninstall(self) -> None:
        """Remove the release and its history; nothing where there is none."""
        raise NotImplementedError

    def recover(self) -> str | None:
        """End what somebody left unfinished: back to the last finished revision, or to nothing. What was done, or None.

        Only for whoever holds the release's lease: Helm cannot tell a killed deployer from one at work.
        """
        raise NotImplementedError
