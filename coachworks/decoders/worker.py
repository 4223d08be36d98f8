"""A decoder process: files in, answers out, one after the other, within limits that the system enforces."""

import ctypes
import json
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from coachworks.decoders.messages import ANSWER, BUFFER_BYTES, FILE, Answer, send
from coachworks.errors import PhotoError
from coachworks.photos import LargePhotoError

Function = Callable[[bytes], bytes]
_LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_TRACEBACK_CHARACTERS = 4000


class Limits(NamedTuple):
    """Limits of a decoder process; see `Lane`."""

    memory_bytes: int
    cpu_s: float
    niceness: int


def serve(descriptor: int, function: Function, limits: Limits, parent: int) -> None:
    """Answer the files that arrive at a socket, until its other end is closed.

    Args:
        descriptor: Of the socket.
        function: What is done with each file.
        limits: Limits of this process.
        parent: Process id of the template; this process ends when that one does.
    """
    connection = socket.socket(fileno=descriptor)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    files = connection.makefile("rb")  # reads a file into one object, without a copy
    _confine(descriptor, limits, parent)
    idle_kib = _largest_kib()
    while header := files.read(FILE.size):
        data = files.read(FILE.unpack(header)[0])
        signal.setitimer(signal.ITIMER_PROF, limits.cpu_s)  # ends the process with SIGPROF, whatever it is doing
        kind, answer = _answer(function, data)
        signal.setitimer(signal.ITIMER_PROF, 0)
        del data
        send(connection, ANSWER.pack(kind, _largest_kib() - idle_kib, len(answer)), answer)
        del answer


def _answer(function: Function, data: bytes) -> tuple[Answer, bytes]:
    try:
        return Answer.PIXELS, function(data)
    except LargePhotoError:
        return Answer.LARGE, b""
    except PhotoError as err:
        return Answer.REFUSED, json.dumps({"reason": str(err.reason), "message": str(err)}).encode()
    except MemoryError:
        return Answer.OUT_OF_MEMORY, b""
    except Exception:
        return Answer.FAILED, traceback.format_exc()[-_TRACEBACK_CHARACTERS:].encode("utf-8", "replace")


def prevent_new_rights() -> None:
    """Make sure that no program started from here gains rights by its file's mode (`no_new_privs`)."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _confine(descriptor: int, limits: Limits, parent: int) -> None:
    """Apply the limits, and give up what decoding does not need: files, connections, processes."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before
        os._exit(0)
    os.nice(limits.niceness)
    if _LINUX:
        with suppress(OSError):  # where memory runs out, a decoder ends rather than the program
            Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + limits.memory_bytes)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):  # libraries in C write about damaged files
        os.dup2(null, standard)
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, max(null, descriptor) + 64)
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE):
        _limit(kind, 0)  # without descriptors: what is open stays open, and no file or connection can be opened


def _limit(kind: int, value: int) -> None:
    _, most = resource.getrlimit(kind)
    value = value if most == resource.RLIM_INFINITY else min(value, most)
    resource.setrlimit(kind, (value, value))


def _largest_kib() -> int:
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if _LINUX else largest // 1024


def _prctl(option: int, value: int) -> None:
    if _LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
