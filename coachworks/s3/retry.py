"""Patience with the servers behind S3 clients: what failed for now is repeated."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from coachworks.s3.errors import is_throttled, may_pass, translation

T = TypeVar("T")


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
        return (slow if failed is not None and is_throttled(failed) else usual)(state)

    def stop(state: RetryCallState) -> bool:
        done = state.attempt_number
        late = (state.seconds_since_start or 0.0) >= patience.total_s
        return done >= patience.attempts or (late and done >= min(_LEAST_ATTEMPTS, patience.attempts))

    failures = (BotoCoreError, ClientError, ResponseParserError, HTTPError, ConnectionError, TimeoutError)
    try:
        answer: T = Retrying(stop=stop, wait=wait, retry=retry_if_exception(may_pass), reraise=True)(_paced, call)
    except failures as err:
        raise translation(err, place) from err
    return answer


def _paced(call: Callable[[], T]) -> T:
    _pace.keep()
    try:
        answer = call()
    except Exception as err:
        _pace.learn(throttled=is_throttled(err))
        raise
    _pace.learn(throttled=False)
    return answer
