"""Findings in a pod's log, between whatever else is printed there."""

from pipelines.doctor.findings import Finding, Status, redacted
from pipelines.doctor.pod_report import MARK, from_log, read_report, write_report

FINDINGS = [
    Finding(subject="store: access", status=Status.FAILED, summary="no answer", way_out="Set “AWS_ENDPOINT_URL”."),
    Finding(subject="store: write", status=Status.SKIPPED, summary="needs store: access"),
]


def test_findings_are_read_as_they_were_written():
    assert read_report(write_report(FINDINGS)) == FINDINGS


def test_findings_are_read_from_a_log_with_other_lines():
    log = f"I1125 launcher: start\n{MARK}{write_report(FINDINGS).decode()}\nI1125 publish success.\n"
    assert from_log(log) == FINDINGS
    assert from_log(f'time="…" msg="{log.splitlines()[0]}"') is None


def test_an_incomplete_line_is_not_a_report():
    assert from_log(f"{MARK}{write_report(FINDINGS).decode()[:-20]}") is None


def test_secrets_of_the_environment_and_credentials_in_urls_are_redacted():
    environ = {"AWS_SECRET_ACCESS_KEY": "s3cr3t", "AWS_ACCESS_KEY_ID": "minio", "MLFLOW_TRACKING_TOKEN": ""}
    text = redacted("s3cr3t at http://anna:pw@minio.example/x and http://minio.example/@y", environ)
    assert text == "… at http://…@minio.example/x and http://minio.example/@y"
