"""Retries while a tracking server is unavailable, with notes to the user."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from coachworks.errors import InvalidConfigError, TransientError
from coachworks.progress import SILENT, Progress

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

PATIENCE_VARIABLE = "COACHWORKS_TRACKING_PATIENCE_S"
_DEFAULT_LIMIT_S = 300.0  # enough for a server's pod to move to another node
_INITIAL_WAIT_S, _MAX_WAIT_S = 0.5, 10.0


@dataclass(frozen=True, slots=True)
class Retries:
    """Retries of work that needs the tracking server.

    Attributes:
        limit_s: Longest time to wait for the server, in seconds; 0 for no retries.
        progress: Receives a note when the waiting begins and when it ends.
    """

    limit_s: float = _DEFAULT_LIMIT_S
    progress: Progress = SILENT

    def run(self, work: Callable[[], T]) -> T:
        """Return the result of `work`, which is started again after each transient failure until the limit.

        Raises:
            TransientError: the last failure before the limit.
        """
        from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

        started = time.monotonic()
        retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=stop_after_delay(self.limit_s),
            wait=wait_exponential_jitter(initial=_INITIAL_WAIT_S, max=_MAX_WAIT_S, jitter=_INITIAL_WAIT_S),
            before_sleep=self._note_failure,
            reraise=True,
        )
        result = retrying(work)
        if retrying.statistics["attempt_number"] > 1:
            self.progress.note(f"waited {time.monotonic() - started:.0f} s for the tracking server")
        return result

    def _note_failure(self, state: "RetryCallState") -> None:
        if state.attempt_number == 1 and state.outcome is not None:
            message = str(state.outcome.exception()).partition(". ")[0]
            self.progress.note(f"waiting up to {self.limit_s:.0f} s: {message}")


def configured_retries(progress: Progress = SILENT, environ: Mapping[str, str] = os.environ) -> Retries:
    """Return retries with the limit that the environment sets.

    Raises:
        InvalidConfigError: the limit is not a number of seconds.
    """
    value = environ.get(PATIENCE_VARIABLE, "")
    try:
        limit_s = float(value or _DEFAULT_LIMIT_S)
    except ValueError:
        limit_s = -1.0
    if not 0 <= limit_s <= 86400:
        raise InvalidConfigError(f"{PATIENCE_VARIABLE} must be a number of seconds in [0, 86400]; got {value!r}")
    return Retries(limit_s, progress)
