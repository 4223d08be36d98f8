"""One row per thing, both sides beside each other."""

from pipelines.doctor.findings import Finding, Verdict
from pipelines.doctor.report import put_together


def finding(what: str, verdict: Verdict = Verdict.OK, way_out: str = "") -> Finding:
    return Finding(what=what, verdict=verdict, said="so", way_out=way_out)


def test_what_only_pods_look_at_stands_where_they_looked() -> None:
    report = put_together(
        [finding("KFP"), finding("store: read"), finding("MLflow")],
        [finding("store: read"), finding("store: same"), finding("MLflow"), finding("MLflow: runs"), finding("pod")],
    )
    assert [row.what for row in report.rows] == ["KFP", "store: read", "store: same", "MLflow", "MLflow: runs", "pod"]
    assert report.well


def test_the_way_out_says_which_side_it_is_about_where_that_is_not_plain() -> None:
    failed = Verdict.FAILED
    report = put_together(
        [finding("both", failed, "Start it."), finding("one"), finding("each", failed, "Set A.")],
        [
            finding("both", failed, "Start it."),
            finding("one", failed, "Set B."),
            finding("each", failed, "Set C."),
            finding("pod", failed, "Push it."),
        ],
    )
    assert {row.what: row.way_out for row in report.rows} == {
        "both": "Start it.",
        "one": "in pods: Set B.",
        "each": "Set A.\nin pods: Set C.",
        "pod": "Push it.",
    }
    assert not report.well


def test_warnings_and_what_was_not_looked_at_are_no_failures() -> None:
    report = put_together([finding("version", Verdict.WARNING, "Upgrade."), finding("pod", Verdict.SKIPPED)], [])
    assert report.well
