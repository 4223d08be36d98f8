"""Checks of a store's bucket, and the way out if it lacks something that a store needs."""

import pytest

from faults import FaultyProxy, _Handler
from pipelines.doctor.bucket import ACCESS, DELETE, ONCE, READ, WRITE, ScratchPrefix, check_same, check_store
from pipelines.doctor.findings import Status

REFUSAL = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{}</Code><Message>no</Message></Error>'


class _Unconditional(_Handler):
    def parse_request(self) -> bool:
        parsed = super().parse_request()
        if parsed:
            del self.headers["If-None-Match"]
        return parsed


@pytest.fixture
def unconditional(s3_server):
    """Address of an S3 server that ignores conditional writes."""
    proxy = FaultyProxy(s3_server.url, error_rate=0.0)
    proxy._server.RequestHandlerClass = _Unconditional
    with proxy:
        yield proxy.url


def statuses(findings):
    return {finding.subject: str(finding.status) for finding in findings}


def test_a_suitable_bucket_is_ok_and_left_unchanged(bucket, s3_server):
    scratch = ScratchPrefix.of(f"s3://{bucket}/fleets/cars/", "1a2b")
    findings = check_store(scratch, "local")
    assert statuses(findings) == dict.fromkeys((ACCESS, WRITE, ONCE, READ, DELETE), "ok")
    assert s3_server.url in findings[0].summary
    assert s3_server.keys(bucket) == ["fleets/cars/doctor/1a2b/local"]
    assert check_same(scratch, "local").status == Status.OK
    scratch.clear()
    assert s3_server.keys(bucket) == []


def test_a_store_without_a_prefix_has_a_scratch_prefix_too(bucket, s3_server):
    check_store(ScratchPrefix.of(f"s3://{bucket}", "1a2b"), "pod")
    assert s3_server.keys(bucket) == ["doctor/1a2b/pod"]


def test_a_bucket_that_does_not_exist_is_named(bucket):
    findings = check_store(ScratchPrefix.of("s3://nonesuch-cars/store", "1a2b"), "local")
    assert "has no bucket 'nonesuch-cars'. Create it" in findings[0].way_out
    assert [(finding.status, finding.summary) for finding in findings[1:]] == [("skipped", "needs store: access")] * 4


def test_a_server_that_is_down_is_named_with_its_setting(s3_server, monkeypatch):
    s3_server.lead_to(monkeypatch, "http://127.0.0.1:9")
    first, *_ = check_store(ScratchPrefix.of("s3://cars", "1a2b"), "local")
    assert (first.status, first.summary) == ("failed", "no answer")
    assert "http://127.0.0.1:9 does not answer" in first.way_out
    assert "AWS_ENDPOINT_URL" in first.way_out


@pytest.mark.parametrize(
    ("code", "way_out"),
    [
        ("InvalidAccessKeyId", "does not know the access key. Set AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", "the secret does not belong to the access key"),
        ("AccessDenied", "Ask its administrator for the permissions"),
    ],
)
def test_refused_credentials_are_reported_with_the_way_out(s3_server, serve, monkeypatch, code, way_out):
    s3_server.lead_to(monkeypatch, serve(lambda method, path: (403, REFUSAL.format(code))))
    first, *_ = check_store(ScratchPrefix.of("s3://cars", "1a2b"), "local")
    assert (first.status, first.summary) == ("failed", "refused")
    assert way_out in first.way_out


def test_a_server_that_ignores_conditional_writes_fails(bucket, s3_server, unconditional, monkeypatch):
    s3_server.lead_to(monkeypatch, unconditional)
    findings = check_store(ScratchPrefix.of(f"s3://{bucket}", "1a2b"), "local")
    assert statuses(findings) == dict.fromkeys((ACCESS, WRITE, READ, DELETE), "ok") | {ONCE: "failed"}
    assert "ignores If-None-Match" in next(finding.way_out for finding in findings if finding.subject == ONCE)


def test_two_servers_with_buckets_of_the_same_name_are_told_apart(bucket):
    finding = check_same(ScratchPrefix.of(f"s3://{bucket}", "1a2b"), "local")
    assert finding.status == Status.FAILED
    assert "different servers: compare AWS_ENDPOINT_URL" in finding.way_out


def test_secrets_in_messages_are_redacted(s3_server, serve, monkeypatch):
    refusal = REFUSAL.format("InternalThing").replace("no<", "key wJalrXUtnFEMI is not for you<")
    s3_server.lead_to(monkeypatch, serve(lambda method, path: (400, refusal)))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    first, *_ = check_store(ScratchPrefix.of("s3://cars", "1a2b"), "local")
    assert "key … is not for you" in first.way_out
    assert "wJalrXUtnFEMI" not in str(first)
