"""Reasons why a skill is not trained."""

import pandas as pd

from components.train.step import _reason_to_drop
from validation.findings import Finding, Severity, Verdict


def finding(message: str) -> Finding:
    return Finding(check="labels", severity=Severity.FAILURE, skill="view", message=message, way_out="")


def test_several_failures_are_joined_without_their_full_stops() -> None:
    verdict = Verdict(passed=False, failures=(finding("No permission."), finding("No front.")), warnings=())
    assert _reason_to_drop(verdict, ["front"], pd.DataFrame(), "view") == (
        "it did not pass validate: No permission; No front"
    )
