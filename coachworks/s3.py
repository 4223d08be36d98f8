"""S3 clients, made in one place, and patience with the servers behind them.

Endpoint, region and credentials are found the way boto3 finds them: environment, profile, service account. The
clients try once; `patient` repeats what failed for now, and translates what will not work however often it is tried.
"""

import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError

T = TypeVar("T")

_CONNECT_S, _READ_S = 3.05, 20.0
_CONNECTIONS = 32
_clients: dict[tuple[Any, ...], Any] = {}
_lock = threading.Lock()

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


@dataclass(frozen=True)
class Patience:
    """How long to go on trying.

    Attributes:
        attempts: Attempts at most, the first one included.
        first_s: Longest wait before the second attempt; it doubles from attempt to attempt.
        longest_s: Longest wait before any.
        total_s: No attempt is started after this time, unless there were fewer than eight.
    """

    attempts: int = 10
    first_s: float = 0.25
    longest_s: float = 30.0
    total_s: float = 150.0


class Pace:
    """A pause before every call, for as long as the server says that it is asked too much.

    Each such answer doubles the pause, each other one takes a fifth of it away. botocore's own limiter (`adaptive`)
    recovers by the clock instead: where one answer in twenty says SlowDown, it ends at one call in two seconds.
    """

    least_s, most_s = 0.05, 2.0

    def __init__(self) -> None:
        self._pause_s = 0.0

    def keep(self) -> None:
        """Pause."""
        if self._pause_s:
            time.sleep(random.uniform(0, 2 * self._pause_s))  # noqa: S311 — nothing secret

    def learn(self, *, throttled: bool) -> None:
        """An answer has come."""
        if throttled:
            self._pause_s = min(self.most_s, max(self.least_s, 2 * self._pause_s))
        else:
            self._pause_s = 0.8 * self._pause_s if self._pause_s > self.least_s / 10 else 0.0


_pace = Pace()
PATIENT = Patience()  # about a minute where a server refuses at once
_LEAST_ATTEMPTS = 8


def open_s3() -> Any:
    """A client for S3, to share between threads; the same one while process and environment stay the same.

    Raises:
        InvalidConfigError: boto3 is not installed, or its settings cannot be used.
    """
    settings = sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))
    identity = (os.getpid(), *settings)
    with _lock:
        if identity not in _clients:
            _clients[identity] = _make_client()
        return _clients[identity]


def _make_client() -> Any:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as err:
        raise InvalidConfigError(
            "s3:// needs boto3, which is not installed here. Install it: `pip install 'coachworks[s3]'`."
        ) from err
    config = Config(
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        max_pool_connections=_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": 1},  # `patient` repeats, without a quota
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        user_agent_extra="coachworks",
    )
    try:
        session = boto3.session.Session()
        region = session.region_name or os.environ.get("AWS_REGION")
        client = session.client("s3", region_name=region, config=config)
        said = session._session.get_scoped_config().get("s3", {})
        named = isinstance(said, dict) and "addressing_style" in said
        host = urlsplit(client.meta.endpoint_url).hostname or ""
        if not named and not host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            # Most servers of one's own have no names for buckets.
            path_style = config.merge(Config(s3={"addressing_style": "path"}))
            client = session.client("s3", region_name=region, config=path_style)
    except (BotoCoreError, ValueError) as err:
        raise InvalidConfigError(
            f"the settings for S3 cannot be used: {err}. Correct the AWS_* variables or the AWS profile."
        ) from err
    return client


def patient(call: Callable[[], T], *, place: str = "", patience: Patience | None = None) -> T:
    """What `call` gives, repeated with growing random waits while it fails for now.

    Reading an answer's body belongs into `call`: connections break in the middle too.

    Args:
        call: Asks a client of `open_s3`; what it raises of its own passes.
        place: What it is about, for messages: `s3://bucket/key`.
        patience: How long to go on; `PATIENT` if None.

    Raises:
        TransientError: it failed for now, every time.
        NotFoundError: there is no such bucket.
        InvalidConfigError: credentials or permissions are not right.
        CoachworksError: the server refused for another reason.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
    from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential
    from urllib3.exceptions import HTTPError

    patience = patience or PATIENT
    slow = wait_random_exponential(multiplier=patience.first_s * 4, max=patience.longest_s * 2, min=0)
    usual = wait_random_exponential(multiplier=patience.first_s, max=patience.longest_s, min=0)

    def wait(state: RetryCallState) -> float:
        failed = state.outcome.exception() if state.outcome else None
        return (slow if failed is not None and _is_throttled(failed) else usual)(state)

    def stop(state: RetryCallState) -> bool:
        done = state.attempt_number
        late = (state.seconds_since_start or 0.0) >= patience.total_s
        return done >= patience.attempts or (late and done >= min(_LEAST_ATTEMPTS, patience.attempts))

    failures = (BotoCoreError, ClientError, ResponseParserError, HTTPError, ConnectionError, TimeoutError)
    try:
        answer: T = Retrying(stop=stop, wait=wait, retry=retry_if_exception(_may_pass), reraise=True)(_paced, call)
    except failures as err:
        raise _translation(err, place) from err
    return answer


def _paced(call: Callable[[], T]) -> T:
    _pace.keep()
    try:
        answer = call()
    except Exception as err:
        _pace.learn(throttled=_is_throttled(err))
        raise
    _pace.learn(throttled=False)
    return answer


def error_code(err: Any) -> str:
    """The code that the server gave: `NoSuchKey`; of a HEAD request, which has no body, the status: `404`."""
    return str(err.response.get("Error", {}).get("Code", ""))


def _is_throttled(err: BaseException) -> bool:
    from botocore.exceptions import ClientError

    return isinstance(err, ClientError) and error_code(err) in _THROTTLED


def _may_pass(err: BaseException) -> bool:
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


def _translation(err: Any, place: str) -> CoachworksError:
    from botocore import exceptions

    server = f"the S3 server {open_s3().meta.endpoint_url}"
    about = f" about {place}" if place else ""
    if _may_pass(err):
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
