"""What the answers of S3 servers mean, and our own errors for them."""

from typing import Any

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError
from coachworks.s3.client import open_s3

_THROTTLED = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "503", "429"}
)
# Of the answers below 500: what may go well the next time.
_PASSING = _THROTTLED | {
    "BadDigest",
    "ConditionalRequestConflict",
    "IncompleteBody",
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "ServiceUnavailable",
    "XAmzContentSHA256Mismatch",
}
_CREDENTIALS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
_REFUSED = {
    "InvalidAccessKeyId": f"it does not know the access key. {_CREDENTIALS}, as its administrator gave them.",
    "SignatureDoesNotMatch": f"the secret does not belong to the access key. {_CREDENTIALS} again.",
    "AuthorizationHeaderMalformed": "the request was signed for another region. Set AWS_REGION to the server's.",
    "ExpiredToken": "the temporary credentials have expired. Sign in again, or renew AWS_SESSION_TOKEN.",
    "InvalidToken": "it does not accept the session's token. Renew AWS_SESSION_TOKEN, or unset it.",
    "RequestTimeTooSkewed": "the clock of this machine differs from the server's. Set it.",
    "NotImplemented": "it cannot do what is asked. A store needs a server with conditional writes (If-None-Match).",
}


def error_code(err: Any) -> str:
    """The code that the server gave: `NoSuchKey`; of a HEAD request, which has no body, the status: `404`."""
    return str(err.response.get("Error", {}).get("Code", ""))


def is_throttled(err: BaseException) -> bool:
    """Return whether the server asks for fewer requests."""
    from botocore.exceptions import ClientError

    return isinstance(err, ClientError) and error_code(err) in _THROTTLED


def may_pass(err: BaseException) -> bool:
    """Whether the same may go well the next time."""
    from botocore import exceptions
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    if isinstance(err, exceptions.ClientError):
        status = err.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = error_code(err)
        return code in _PASSING or (status >= 500 and code != "NotImplemented" and status != 501)
    if isinstance(err, exceptions.SSLError):
        return "CERTIFICATE_VERIFY_FAILED" not in str(err)
    passing = (
        exceptions.HTTPClientError,
        exceptions.ConnectionError,
        exceptions.IncompleteReadError,
        exceptions.ResponseStreamingError,
        exceptions.FlexibleChecksumError,
        exceptions.CredentialRetrievalError,
        ResponseParserError,
        HTTPError,  # where a body is read from the connection itself, as in `with answer["Body"] as body:`
        ConnectionError,
        TimeoutError,
    )
    return isinstance(err, passing)


def translation(err: Any, place: str) -> CoachworksError:
    """Return the error of ours for a failed request."""
    from botocore import exceptions

    server = f"the S3 server {open_s3().meta.endpoint_url}"
    about = f" about {place}" if place else ""
    if may_pass(err):
        return TransientError(
            f"{server} does not answer{about}, or not as it should: {err}. Check AWS_ENDPOINT_URL and that it runs, "
            "then run again: what is done is kept."
        )
    if isinstance(err, exceptions.SSLError):
        return InvalidConfigError(f"{server} has a certificate that is not trusted: {err}. Set AWS_CA_BUNDLE.")
    if isinstance(
        err, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.TokenRetrievalError)
    ):
        return InvalidConfigError(
            f"there are no credentials for {server}: {err}. {_CREDENTIALS}, or give the pod a service account."
        )
    if not isinstance(err, exceptions.ClientError):
        return InvalidConfigError(f"{server} cannot be asked{about}: {err}")
    code = error_code(err)
    if code == "NoSuchBucket":
        bucket = err.response["Error"].get("BucketName") or place.removeprefix("s3://").partition("/")[0]
        return NotFoundError(f"{server} has no bucket {bucket!r}. Create it, or correct its name.")
    if code in _REFUSED:
        return InvalidConfigError(f"{server} refuses to answer{about}: {_REFUSED[code]}")
    if code in {"AccessDenied", "403", "AllAccessDisabled", "401"}:
        return InvalidConfigError(
            f"{server} denies access{about} ({err.operation_name}). Ask its administrator for the permissions to list "
            "the bucket and to get, put and delete its objects, or use other credentials."
        )
    return CoachworksError(f"{server} refuses to answer{about}: {err}")
