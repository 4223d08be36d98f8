"""Report with a row per subject and a column per side."""

from pipelines.doctor.findings import Finding, Status
from pipelines.doctor.report import combine


def finding(subject: str, status: Status = Status.OK, way_out: str = "") -> Finding:
    return Finding(subject=subject, status=status, summary="works", way_out=way_out)


def test_a_subject_of_pods_alone_follows_the_one_before_it() -> None:
    report = combine(
        [finding("KFP"), finding("store: read"), finding("MLflow")],
        [finding("store: read"), finding("store: same"), finding("MLflow"), finding("MLflow: runs"), finding("pod")],
    )
    assert [row.subject for row in report.rows] == [
        "KFP",
        "store: read",
        "store: same",
        "MLflow",
        "MLflow: runs",
        "pod",
    ]
    assert report.ok


def test_the_way_out_names_its_side_if_the_sides_differ() -> None:
    failed = Status.FAILED
    report = combine(
        [finding("both", failed, "Start it."), finding("one"), finding("each", failed, "Set A.")],
        [
            finding("both", failed, "Start it."),
            finding("one", failed, "Set B."),
            finding("each", failed, "Set C."),
            finding("pod", failed, "Push it."),
        ],
    )
    assert {row.subject: row.way_out for row in report.rows} == {
        "both": "Start it.",
        "one": "in pods: Set B.",
        "each": "Set A.\nin pods: Set C.",
        "pod": "Push it.",
    }
    assert not report.ok


def test_a_variable_of_pods_is_said_to_come_from_the_fleet_file_s_secrets() -> None:
    (row,) = combine([finding("store")], [finding("store", Status.FAILED, "Set AWS_SECRET_ACCESS_KEY again.")]).rows
    assert row.way_out == (
        "in pods: Set AWS_SECRET_ACCESS_KEY again. "
        "Pods have these variables from the Secrets and ConfigMaps in `spec.cluster.environment`."
    )


def test_warnings_and_skipped_checks_are_not_failures() -> None:
    report = combine([finding("version", Status.WARNING, "Upgrade."), finding("pod", Status.SKIPPED)], [])
    assert report.ok
