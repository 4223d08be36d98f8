"""What a pod found comes back through its log, whatever else is printed there."""

from pipelines.doctor.findings import Finding, Verdict, redacted
from pipelines.doctor.pod_report import MARK, from_log, read_report, write_report

FINDINGS = [
    Finding(what="store: access", verdict=Verdict.FAILED, said="no answer", way_out="Set “AWS_ENDPOINT_URL”."),
    Finding(what="store: write", verdict=Verdict.SKIPPED, said="needs store: access"),
]


def test_findings_come_back_as_they_were():
    assert read_report(write_report(FINDINGS)) == FINDINGS


def test_findings_are_found_in_a_log_between_other_lines():
    log = f"I1125 launcher: start\n{MARK}{write_report(FINDINGS).decode()}\nI1125 publish success.\n"
    assert from_log(log) == FINDINGS
    assert from_log(f'time="…" msg="{log.splitlines()[0]}"') is None


def test_a_line_that_is_still_being_written_is_none_yet():
    assert from_log(f"{MARK}{write_report(FINDINGS).decode()[:-20]}") is None


def test_secrets_of_the_environment_and_credentials_in_addresses_are_not_told():
    environ = {"AWS_SECRET_ACCESS_KEY": "s3cr3t", "AWS_ACCESS_KEY_ID": "minio", "MLFLOW_TRACKING_TOKEN": ""}
    told = redacted("s3cr3t at http://anna:pw@minio.example/x and http://minio.example/@y", environ)
    assert told == "… at http://…@minio.example/x and http://minio.example/@y"
