"""The doctor's report: a row per subject, a column per side."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.doctor.findings import Finding, Status
from pipelines.pod_ways_out import with_source_of_variables


@dataclass(frozen=True, kw_only=True)
class Row:
    """Findings about one subject.

    Attributes:
        subject: What was checked.
        local: Finding of this machine, or None.
        pod: Finding of a pod, or None.
    """

    subject: str
    local: Finding | None = None
    pod: Finding | None = None

    @property
    def statuses(self) -> set[Status]:
        """Statuses of both sides."""
        return {finding.status for finding in (self.local, self.pod) if finding is not None}

    @property
    def way_out(self) -> str:
        """Way out, marked with its side if the two differ; empty if there is nothing to do."""
        local = self.local.way_out if self.local else ""
        pod = self.pod.way_out if self.pod else ""
        if local == pod:
            return local
        pod = with_source_of_variables(pod)
        marked = f"in pods: {pod}" if pod and self.local else pod
        return "\n".join(text for text in (local, marked) if text)


@dataclass(frozen=True, kw_only=True)
class Report:
    """Findings of both sides.

    Attributes:
        rows: Findings by subject, in the order of the checks.
    """

    rows: tuple[Row, ...]

    @property
    def ok(self) -> bool:
        """True if no check failed; warnings and skipped checks are not failures."""
        return not any(Status.FAILED in row.statuses for row in self.rows)


def combine(local: Sequence[Finding], pod: Sequence[Finding]) -> Report:
    """Return the report of both sides; a subject of pods alone follows the one that pods checked before it."""
    local_by_subject = {finding.subject: finding for finding in local}
    pod_by_subject = {finding.subject: finding for finding in pod}
    order, place = list(local_by_subject), len(local_by_subject)
    for subject in pod_by_subject:
        if subject in local_by_subject:
            place = order.index(subject) + 1
        else:
            order.insert(place, subject)
            place += 1
    return Report(
        rows=tuple(
            Row(subject=subject, local=local_by_subject.get(subject), pod=pod_by_subject.get(subject))
            for subject in order
        )
    )
