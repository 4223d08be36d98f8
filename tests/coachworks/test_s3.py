"""Retries of S3 requests, and errors after which a retry is useless."""

import pytest

from coachworks import s3
from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError
from coachworks.s3 import RetryPolicy, retry, with_retries
from coachworks.store import open_store
from s3_server import S3Server

SHORT = RetryPolicy(initial_wait_s=0.001, max_wait_s=0.002)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    throttle = retry.Throttle()
    throttle.min_pause_s = throttle.max_pause_s = 0.001
    monkeypatch.setattr(retry, "_throttle", throttle)


def refusal(code: str, status: int, operation: str = "PutObject"):
    from botocore.exceptions import ClientError

    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("SlowDown", 503),
        ("503", 503),
        ("InternalError", 500),
        ("RequestTimeout", 400),
        ("ConditionalRequestConflict", 409),
        ("OperationAborted", 409),
        ("BadDigest", 400),
        ("429", 429),
    ],
)
def test_transient_failures_are_retried_at_least_eight_times(bucket: str, code: str, status: int) -> None:
    attempts = []

    def fail() -> None:
        attempts.append(1)
        raise refusal(code, status)

    with pytest.raises(TransientError, match=r"Check AWS_ENDPOINT_URL .* what is done is kept"):
        with_retries(fail, address="s3://bucket/key", policy=SHORT)
    assert len(attempts) >= 8


def test_the_result_of_the_first_successful_attempt_is_returned(bucket: str) -> None:
    failures = [refusal("SlowDown", 503), ConnectionResetError(), refusal("InternalError", 500)]

    def ask() -> str:
        if failures:
            raise failures.pop()
        return "answer"

    assert with_retries(ask, policy=SHORT) == "answer"


def test_other_exceptions_are_raised_without_a_retry(bucket: str) -> None:
    attempts = []

    def fail() -> None:
        attempts.append(1)
        raise KeyError("own")

    with pytest.raises(KeyError, match="own"):
        with_retries(fail)
    assert len(attempts) == 1


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        ("AccessDenied", 403, "denies access about s3://bucket/key .*PutObject.*permissions"),
        ("403", 403, "denies access"),
        ("InvalidAccessKeyId", 403, "does not know the access key. Set AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", 403, "the secret does not belong to the access key"),
        ("ExpiredToken", 400, "credentials have expired"),
        ("AuthorizationHeaderMalformed", 400, "Set AWS_REGION"),
        ("RequestTimeTooSkewed", 403, "the clock of this machine"),
        ("NotImplemented", 501, "a server with conditional writes"),
    ],
)
def test_permanent_failures_are_raised_without_a_retry(bucket: str, code: str, status: int, message: str) -> None:
    attempts = []

    def fail() -> None:
        attempts.append(1)
        raise refusal(code, status)

    with pytest.raises(InvalidConfigError, match=message):
        with_retries(fail, address="s3://bucket/key")
    assert len(attempts) == 1


@pytest.mark.parametrize(
    ("code", "operation", "expected"),
    [
        ("NoSuchKey", "GetObject", s3.ObjectMissingError),
        ("404", "HeadObject", s3.ObjectMissingError),
        ("404", "ListObjectsV2", CoachworksError),  # not an S3 server
        ("NoSuchBucket", "GetObject", NotFoundError),
        ("412", "GetObject", s3.ObjectChangedError),
        ("PreconditionFailed", "PutObject", s3.ObjectChangedError),
        ("InvalidObjectState", "GetObject", s3.ObjectUnreadableError),
        ("AccessDenied", "PutObject", s3.AccessDeniedError),
        ("Whatever", "PutObject", CoachworksError),
    ],
)
def test_codes_become_exception_classes(bucket: str, code: str, operation: str, expected: type[Exception]) -> None:
    def fail() -> None:
        raise refusal(code, 400, operation)

    with pytest.raises(CoachworksError) as caught:
        with_retries(fail, address="s3://bucket/key", policy=SHORT)
    assert type(caught.value) is expected


def test_content_of_other_writers_is_not_compared_with_their_metadata(bucket: str) -> None:
    s3.open_s3().put_object(Bucket=bucket, Key="photos/a", Body=b"data", Metadata={"SHA256": "base64, for example"})
    assert s3.Objects(bucket, "photos", verify=False).read("a") == b"data"
    info = s3.Objects(bucket, "photos").head("a")
    assert info is not None
    assert (info.size, info.sha256) == (4, "base64, for example")


def test_an_object_is_read_in_the_listed_version_or_not_at_all(bucket: str) -> None:
    objects = s3.Objects(bucket, "photos")
    objects.put("a", b"first")
    ((key, info),) = objects.list()
    assert (key, objects.read(key, 0, 3, etag=info.etag)) == ("a", b"fir")
    objects.put("a", b"second")
    with pytest.raises(s3.ObjectChangedError, match="photos/a was changed by another writer"):
        objects.read(key, etag=info.etag)


def test_missing_credentials_are_reported_with_the_variables_to_set(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(InvalidConfigError, match=r"no credentials for the S3 server .*Set AWS_ACCESS_KEY_ID"):
        open_store(f"s3://{bucket}/x").read("a")


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "http://no-such-host.invalid"])
def test_an_unreachable_server_is_named(bucket: str, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setattr(retry, "DEFAULT_POLICY", SHORT)
    with pytest.raises(TransientError, match=f"the S3 server {endpoint} does not answer"):
        open_store(f"s3://{bucket}/x").read("a")


def test_an_invalid_endpoint_and_an_unknown_profile_are_reported(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nowhere")
    with pytest.raises(InvalidConfigError, match=r"the settings for S3 cannot be used: .*Correct the AWS_"):
        s3.open_s3()
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(InvalidConfigError, match=r"profile .nobody. could not be found|config profile"):
        s3.open_s3()


def test_the_client_is_shared_until_the_environment_changes(
    bucket: str, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = s3.open_s3()
    assert s3.open_s3() is one
    assert one.meta.region_name == s3_server.region
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
    assert s3.open_s3() is not one


def test_self_hosted_servers_get_path_style_requests_and_aws_virtual_hosts(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio-service.kubeflow:9000")
    url = s3.open_s3().generate_presigned_url("get_object", Params={"Bucket": "some", "Key": "key"})
    assert url.startswith("http://minio-service.kubeflow:9000/some/key")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    url = s3.open_s3().generate_presigned_url("get_object", Params={"Bucket": "some", "Key": "key"})
    assert url.startswith("https://some.s3.")
