"""Retries of S3 requests, and throttling of all requests of a process while the server asks for it."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from coachworks.s3.errors import client_failures, is_throttled, is_transient, translate

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """Limits of retries.

    Attributes:
        attempts: Maximum number of attempts, the first one included.
        initial_wait_s: Longest wait before the second attempt; it doubles with each further attempt.
        max_wait_s: Longest wait before any attempt.
        total_s: No attempt starts after this time, unless there were fewer than eight.
    """

    attempts: int = 10
    initial_wait_s: float = 0.25
    max_wait_s: float = 30.0
    total_s: float = 150.0


class Throttle:
    """Pause before every request, adapted to the server's throttling responses.

    Each such response doubles the pause; each other one reduces it by a fifth. botocore's own limiter (`adaptive`)
    recovers by the clock instead: if one response in twenty is SlowDown, it ends at one request in two seconds.
    """

    min_pause_s, max_pause_s = 0.05, 2.0

    def __init__(self) -> None:
        self._pause_s = 0.0

    def wait(self) -> None:
        """Sleep for a random time around the current pause, so that threads do not continue all at once."""
        if self._pause_s:
            time.sleep(random.uniform(0, 2 * self._pause_s))  # noqa: S311 — nothing secret

    def record(self, *, throttled: bool) -> None:
        """Adapt the pause to a response."""
        if throttled:
            self._pause_s = min(self.max_pause_s, max(self.min_pause_s, 2 * self._pause_s))
        else:
            self._pause_s = 0.8 * self._pause_s if self._pause_s > self.min_pause_s / 10 else 0.0


DEFAULT_POLICY = RetryPolicy()  # about a minute if the server refuses connections at once
_throttle = Throttle()
_MIN_ATTEMPTS = 8  # a few slow time-outs must not use up all of `total_s`
_THROTTLED_WAIT_FACTOR = 4


def with_retries(call: Callable[[], T], *, address: str = "", policy: RetryPolicy | None = None) -> T:
    """Return the result of `call`, repeated after transient failures with exponential, random waits.

    Read a response body inside `call`: connections break while a body is read, too.

    Args:
        call: Makes requests with the client of `open_s3`. Exceptions other than those of S3 pass unchanged.
        address: `s3://bucket/key` of the request, for messages.
        policy: Limits; `DEFAULT_POLICY` if None.

    Raises:
        TransientError: every attempt failed with a transient error.
        NotFoundError: the bucket does not exist; `ObjectMissingError`: the object does not.
        ObjectChangedError: a condition of the request does not hold.
        InvalidConfigError: credentials or permissions are insufficient.
        CoachworksError: the server refused for another reason.
    """
    from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

    policy = policy or DEFAULT_POLICY
    usual = wait_random_exponential(multiplier=policy.initial_wait_s, max=policy.max_wait_s, min=0)
    longer = wait_random_exponential(
        multiplier=policy.initial_wait_s * _THROTTLED_WAIT_FACTOR, max=policy.max_wait_s * 2, min=0
    )

    def wait(state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        return (longer if failure is not None and is_throttled(failure) else usual)(state)

    def stop(state: RetryCallState) -> bool:
        attempts = state.attempt_number
        late = (state.seconds_since_start or 0.0) >= policy.total_s
        return attempts >= policy.attempts or (late and attempts >= min(_MIN_ATTEMPTS, policy.attempts))

    retrying = Retrying(stop=stop, wait=wait, retry=retry_if_exception(is_transient), reraise=True)
    try:
        result: T = retrying(_throttled, call)
    except client_failures() as err:
        raise translate(err, address) from err
    return result


def _throttled(call: Callable[[], T]) -> T:
    _throttle.wait()
    try:
        result = call()
    except Exception as err:
        _throttle.record(throttled=is_throttled(err))
        raise
    _throttle.record(throttled=False)
    return result
