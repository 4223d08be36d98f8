"""Immediate replacement of a dead worker.

`bentoml serve` runs its worker under circus, which checks on it every ten seconds; until then, new connections would
wait in the sockets' queues. A handler of SIGCHLD makes circus check at once, through its own handler of SIGHUP.
"""

import os
import signal
import time
from types import FrameType

# Shortest time between two such checks: a worker that dies while starting is left to circus, so that it does not
# restart in a busy loop.
_MIN_INTERVAL_S = 10.0


def replace_dead_workers() -> None:
    """Install the SIGCHLD handler; call it in the supervisor, before circus starts the worker."""
    last = -_MIN_INTERVAL_S

    def died(signum: int, frame: FrameType | None) -> None:
        nonlocal last
        circus_reload = signal.getsignal(signal.SIGHUP)
        if time.monotonic() - last < _MIN_INTERVAL_S or not callable(circus_reload) or not _dead_child():
            return
        last = time.monotonic()
        signal.raise_signal(signal.SIGHUP)  # makes circus start a process for each missing one

    signal.signal(signal.SIGCHLD, died)


def _dead_child() -> bool:
    """Return whether a child has exited; circus must still be able to reap it, hence WNOWAIT."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False
