"""Complete revisions of a Helm release: those at which no rollout was in progress."""

from collections.abc import Iterator
from dataclasses import dataclass

from components.deploy.helm.client import Helm
from components.deploy.target.values import FleetValues, read_values


@dataclass(frozen=True)
class CompleteRevision:
    """A revision at which no rollout was in progress.

    Attributes:
        number: Its number.
        values: The chart's values.
    """

    number: int
    values: FleetValues


def complete_revisions(helm: Helm) -> Iterator[CompleteRevision]:
    """Yield the complete revisions that Helm keeps, the newest first; each is read when it is asked for."""
    for revision in reversed(helm.history()):
        if revision.succeeded:
            values = read_values(helm.values(revision.number))
            if values.complete:
                yield CompleteRevision(revision.number, values)


def newest_complete(helm: Helm) -> CompleteRevision | None:
    """Return the newest complete revision, or None where nothing is deployed."""
    return next(complete_revisions(helm), None)
