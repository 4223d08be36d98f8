"""The doctor's report: one row per thing looked at, one column per side."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.doctor.findings import Finding, Verdict


@dataclass(frozen=True, kw_only=True)
class Row:
    """One thing, from both sides.

    Attributes:
        what: What was looked at.
        here: What this machine found, or None.
        pod: What a pod found, or None.
    """

    what: str
    here: Finding | None = None
    pod: Finding | None = None

    @property
    def verdicts(self) -> set[Verdict]:
        """How it went."""
        return {finding.verdict for finding in (self.here, self.pod) if finding is not None}

    @property
    def way_out(self) -> str:
        """What to do, and where if the two sides differ; empty where nothing is."""
        here = self.here.way_out if self.here else ""
        pod = self.pod.way_out if self.pod else ""
        if here == pod:
            return here
        marked = f"in pods: {pod}" if pod and self.here else pod
        return "\n".join(text for text in (here, marked) if text)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the doctor found.

    Attributes:
        rows: What was looked at, in order.
    """

    rows: tuple[Row, ...]

    @property
    def well(self) -> bool:
        """Whether nothing failed; warnings are no failures."""
        return not any(Verdict.FAILED in row.verdicts for row in self.rows)


def put_together(here: Sequence[Finding], pod: Sequence[Finding]) -> Report:
    """The report of what both sides found; what only pods look at follows what they looked at before."""
    ours, theirs = {finding.what: finding for finding in here}, {finding.what: finding for finding in pod}
    order, place = list(ours), len(ours)
    for what in theirs:
        if what in ours:
            place = order.index(what) + 1
        else:
            order.insert(place, what)
            place += 1
    return Report(rows=tuple(Row(what=what, here=ours.get(what), pod=theirs.get(what)) for what in order))
