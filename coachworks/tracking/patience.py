"""Patience with a tracking server that is away: wait, say so, go on when it is back."""

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
_PATIENCE_S = 300.0  # a server that moves to another node is back by then
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an absent server is waited for, and who is told.

    Attributes:
        limit_s: Longest absence, in seconds; 0: none.
        progress: Is told when the waiting begins and when it ends.
    """

    limit_s: float = _PATIENCE_S
    progress: Progress = SILENT

    def keep(self, work: Callable[[], T]) -> T:
        """`work`, from its beginning again after each transient failure, until the limit.

        Raises:
            TransientError: the last failure, when the limit is reached.
        """
        from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

        started = time.monotonic()
        retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=stop_after_delay(self.limit_s),
            wait=wait_exponential_jitter(initial=_FIRST_WAIT_S, max=_LONGEST_WAIT_S, jitter=_FIRST_WAIT_S),
            before_sleep=self._tell,
            reraise=True,
        )
        done = retrying(work)
        if retrying.statistics["attempt_number"] > 1:
            self.progress.note(f"waited {time.monotonic() - started:.0f} s for the tracking server")
        return done

    def _tell(self, state: "RetryCallState") -> None:
        if state.attempt_number == 1 and state.outcome is not None:
            told = str(state.outcome.exception()).partition(". ")[0]
            self.progress.note(f"waiting up to {self.limit_s:.0f} s: {told}")


def patience_of(progress: Progress = SILENT, environ: Mapping[str, str] = os.environ) -> Patience:
    """The patience that the environment asks for.

    Raises:
        InvalidConfigError: it is no number of seconds.
    """
    told = environ.get(PATIENCE_VARIABLE, "")
    try:
        limit_s = float(told or _PATIENCE_S)
    except ValueError:
        limit_s = -1.0
    if not 0 <= limit_s <= 86400:
        raise InvalidConfigError(f"{PATIENCE_VARIABLE} must be a number of seconds in [0, 86400]; got {told!r}")
    return Patience(limit_s, progress)
