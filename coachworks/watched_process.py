"""A program that ends with the process that started it, however that ends; `coachworks.child_server` runs this script.

Arguments: the reading end of a pipe whose other end the starting process holds; seconds; `process` or `group`; `--` and
the command. When the pipe closes, or at SIGTERM, the program gets SIGTERM: its first process, or with `group` all of
them. What is left of it after the seconds is killed, as is what it leaves behind when it ends by itself. Workers that
have made a session of their own are found too: on Linux, their orphans become children of this process. It ends with
the status of the program.

Only the standard library is imported, so that it starts within milliseconds.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # of <linux/prctl.h>
_PROC = Path("/proc")


def main(arguments: Sequence[str]) -> None:
    """Run the program, and end as it did."""
    pipe, seconds, receiver, _, *command = arguments
    stopping: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            stopping.append(number)

    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, note)
    _set_process_option(_PR_SET_CHILD_SUBREAPER, 1)
    program = subprocess.Popen(command, preexec_fn=_end_with_parent)  # noqa: S603 — no shell, no threads
    deadline: float | None = None
    while (status := _reaped(program.pid)) is None and (deadline is None or time.monotonic() < deadline):
        closed = int(pipe) in _readable([int(pipe)], 0)
        if deadline is None and (stopping or closed):
            deadline = time.monotonic() + float(seconds)
            for pid in descendants(os.getpid()) if receiver == "group" else [program.pid]:
                _send(pid, signal.SIGTERM)
        watched = [woken] if deadline is not None else [woken, int(pipe)]
        if woken in _readable(watched, None if deadline is None else max(0.0, deadline - time.monotonic())):
            os.read(woken, 4096)
    while (left := descendants(os.getpid())) or status is None:
        for pid in left:
            _send(pid, signal.SIGKILL)
        status = _reaped(program.pid) if status is None else (_reaped(0), status)[1]
        time.sleep(0.01)
    _end_as(status)


def descendants(pid: int) -> list[int]:
    """Return the IDs of the running processes below a process."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    below = [pid]
    for each in below:
        below.extend(children.get(each, ()))
    return below[1:]


def _parents() -> list[tuple[int, int]]:
    """Return process and parent of all processes but zombies."""
    if not (_PROC / "self" / "stat").exists():
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=False)  # noqa: S607
        rows = [line.split() for line in listed.stdout.splitlines()]
        return [(int(pid), int(parent)) for pid, parent, state in rows if not state.startswith("Z")]
    running = []
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                state, parent = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
                if state != "Z":
                    running.append((int(folder.name), int(parent)))
    return running


def _reaped(program: int) -> int | None:
    """Reap all children that have ended; return the program's status if it is among them."""
    status = None
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == program:
                status = os.waitstatus_to_exitcode(ended[1])
    return status


def _readable(descriptors: list[int], timeout_s: float | None) -> list[int]:
    return select.select(descriptors, [], [], timeout_s)[0]


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _end_as(status: int) -> None:
    """End with an exit status, or by the signal of which `status` is the negative."""
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status if status >= 0 else 128 - status)


def _end_with_parent() -> None:
    """Let the kernel send SIGTERM to this process when the watching one is killed."""
    _set_process_option(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _set_process_option(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
