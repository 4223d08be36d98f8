"""What a pod found, on its way back: an object in the store, and one line of the pod's log for when that is away."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from pipelines.doctor.findings import Finding, Verdict

MARK = "coachworks doctor found: "


def write_report(findings: Sequence[Finding]) -> bytes:
    """The findings, as one line."""
    return json.dumps([asdict(finding) for finding in findings]).encode()


def read_report(data: bytes | str) -> list[Finding]:
    """The findings that `write_report` wrote."""
    return [_finding(entry) for entry in json.loads(data)]


def _finding(entry: dict[str, Any]) -> Finding:
    return Finding(**{**entry, "verdict": Verdict(entry["verdict"])})


def from_log(log: str) -> list[Finding] | None:
    """The findings in the log of a pod; None where it has printed none yet."""
    for line in _marked(log):
        return read_report(line)
    return None


def _marked(log: str) -> Iterator[str]:
    for line in log.splitlines():
        _, mark, told = line.partition(MARK)
        if mark and told.rstrip().endswith("]"):  # a log may be read while it is being written
            yield told
