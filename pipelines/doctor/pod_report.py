"""Findings on their way from a pod: an object in the store, and a log line for when the store cannot be reached."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pipelines.doctor.findings import Finding, Status

MARK = "coachworks doctor findings: "


def write_report(findings: Sequence[Finding]) -> bytes:
    """Return findings as one line of JSON."""
    return json.dumps([asdict(finding) for finding in findings]).encode()


def read_report(data: bytes | str) -> list[Finding]:
    """Return the findings that `write_report` wrote."""
    return [_finding(entry) for entry in json.loads(data)]


def _finding(entry: dict[str, Any]) -> Finding:
    return Finding(**{**entry, "status": Status(entry["status"])})


def from_log(log: str) -> list[Finding] | None:
    """Return the findings in a pod's log; None if it has no complete report yet."""
    for line in log.splitlines():
        _, mark, report = line.partition(MARK)
        if mark and report.rstrip().endswith("]"):  # the log may end within the line
            return read_report(report)
    return None
