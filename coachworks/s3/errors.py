"""Error codes of S3 servers, and the coachworks errors that they become.

The meaning of a code is decided here once: other modules catch the classes below and look at no code.
"""

from typing import Any

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError
from coachworks.s3.client import open_s3

_THROTTLED = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "503", "429"}
)
# Codes of responses below 500 after which the same request may succeed.
_TRANSIENT = _THROTTLED | {
    "BadDigest",
    "ConditionalRequestConflict",
    "IncompleteBody",
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "ServiceUnavailable",
    "XAmzContentSHA256Mismatch",
}
_MISSING = frozenset({"NoSuchKey", "NotFound", "404"})
_CHANGED = frozenset({"PreconditionFailed", "412"})
_DENIED = frozenset({"AccessDenied", "AllAccessDisabled", "403", "401"})
_UNREADABLE = {
    "InvalidObjectState": "it is archived; restore it first",
    "KMS.DisabledException": "the key that it is encrypted with is disabled",
}
_CREDENTIALS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
_REJECTED = {
    "InvalidAccessKeyId": f"it does not know the access key. {_CREDENTIALS}, as its administrator gave them.",
    "SignatureDoesNotMatch": f"the secret does not belong to the access key. {_CREDENTIALS} again.",
    "AuthorizationHeaderMalformed": "the request was signed for another region. Set AWS_REGION to the server's.",
    "ExpiredToken": "the temporary credentials have expired. Sign in again, or renew AWS_SESSION_TOKEN.",
    "InvalidToken": "it does not accept the session token. Renew AWS_SESSION_TOKEN, or unset it.",
    "RequestTimeTooSkewed": "the clock of this machine differs from the server's. Set it.",
    "NotImplemented": "it does not support this request. A store needs a server with conditional writes "
    "(If-None-Match).",
}


class ObjectMissingError(NotFoundError):
    """The object does not exist."""


class ObjectChangedError(CoachworksError):
    """The condition of a request does not hold: the object exists already, or has another entity tag."""


class ObjectUnreadableError(CoachworksError):
    """The object exists, but the server cannot return its content.

    Attributes:
        reason: The cause, without the object's address.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class AccessDeniedError(InvalidConfigError):
    """The credentials are valid, but lack a permission."""


def error_code(err: Any) -> str:
    """Return the error code of a `ClientError`, such as `NoSuchKey`.

    The response to a HEAD request has no body and therefore no code; botocore then reports the status, such as `404`.
    """
    return str(err.response.get("Error", {}).get("Code", ""))


def is_throttled(err: BaseException) -> bool:
    """Return whether the server rejected a request because there are too many."""
    from botocore.exceptions import ClientError

    return isinstance(err, ClientError) and error_code(err) in _THROTTLED


def is_transient(err: BaseException) -> bool:
    """Return whether the same request may succeed when it is repeated."""
    from botocore import exceptions
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    if isinstance(err, exceptions.ClientError):
        status = err.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = error_code(err)
        return code in _TRANSIENT or (status >= 500 and code != "NotImplemented" and status != 501)
    if isinstance(err, exceptions.SSLError):
        return "CERTIFICATE_VERIFY_FAILED" not in str(err)
    transient = (
        exceptions.HTTPClientError,
        exceptions.ConnectionError,
        exceptions.IncompleteReadError,
        exceptions.ResponseStreamingError,
        exceptions.FlexibleChecksumError,
        exceptions.CredentialRetrievalError,
        ResponseParserError,
        HTTPError,  # raised when a response body is read directly, as in `with answer["Body"] as body:`
        ConnectionError,
        TimeoutError,
    )
    return isinstance(err, transient)


def client_failures() -> tuple[type[Exception], ...]:
    """Return the exception classes that a request of a boto3 client can raise."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    return BotoCoreError, ClientError, ResponseParserError, HTTPError, ConnectionError, TimeoutError


def translate(err: Any, address: str) -> CoachworksError:
    """Return the coachworks error for a failed request.

    Args:
        err: One of `client_failures`.
        address: `s3://bucket/key` of the request; empty where it concerns no bucket.
    """
    from botocore import exceptions

    server = f"the S3 server {open_s3().meta.endpoint_url}"
    about = f" about {address}" if address else ""
    if is_transient(err):
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
    return _translate_code(err, server, address, about)


def _translate_code(err: Any, server: str, address: str, about: str) -> CoachworksError:
    code = error_code(err)
    if code == "NoSuchBucket":
        bucket = err.response["Error"].get("BucketName") or address.removeprefix("s3://").partition("/")[0]
        return NotFoundError(f"{server} has no bucket {bucket!r}. Create it, or correct its name.")
    # A 404 to other operations comes from something that is not an S3 server.
    if code in _MISSING and err.operation_name in {"GetObject", "HeadObject"}:
        return ObjectMissingError(f"{address} does not exist on {server}.")
    if code in _CHANGED:
        return ObjectChangedError(f"{address} was changed by another writer meanwhile. Run again.")
    if code in _UNREADABLE:
        return ObjectUnreadableError(f"{address} cannot be read: {_UNREADABLE[code]}.", _UNREADABLE[code])
    if code in _REJECTED:
        return InvalidConfigError(f"{server} refuses to answer{about}: {_REJECTED[code]}")
    if code in _DENIED:
        return AccessDeniedError(
            f"{server} denies access{about} ({err.operation_name}). Ask its administrator for the permissions to list "
            "the bucket and to get, put and delete its objects, or use other credentials."
        )
    return CoachworksError(f"{server} refuses to answer{about}: {err}")
