"""A worker that died is replaced at once.

`bentoml serve` looks after its worker every ten seconds; what connects meanwhile would wait that long, and then for the
start of a new one.
"""

import os
import signal
import time
from types import FrameType

_LEAST_S = 10.0  # between two of them: what dies while it starts is left to the rounds of ten seconds


def replace_dead_workers() -> None:
    """In the process that looks after the worker: have a new one started as soon as the worker is dead."""
    last = -_LEAST_S

    def died(signum: int, frame: FrameType | None) -> None:
        nonlocal last
        looks_after = signal.getsignal(signal.SIGHUP)
        if time.monotonic() - last < _LEAST_S or not callable(looks_after) or not _dead_child():
            return
        last = time.monotonic()
        signal.raise_signal(signal.SIGHUP)  # circus: start a process for each that is gone

    signal.signal(signal.SIGCHLD, died)


def _dead_child() -> bool:
    """Whether a child has ended; it is left for circus to collect."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False
