"""Identity of machines and processes, so that an owner elsewhere is not taken for a dead process of this machine."""

import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from coachworks.digests import digest_bytes

_UNKNOWN = "0"  # start time where the system does not tell it


@dataclass(frozen=True)
class Process:
    """A process, told apart from later ones with its PID and from those of other machines and containers.

    Attributes:
        machine: Digest of the name, the boot and the PID namespace; see `this_machine`.
        pid: Process ID in that namespace.
        started: Start time in ticks of the kernel; "0" where the system does not tell it.
    """

    machine: str
    pid: int
    started: str

    @property
    def is_here(self) -> bool:
        """True if this process can look it up by its PID."""
        return self.machine == this_machine()

    @property
    def runs(self) -> bool:
        """True if a process of this machine still runs; ask only where `is_here`."""
        if not process_alive(self.pid):
            return False
        started = _start_of(self.pid)
        return _UNKNOWN in {started, self.started} or started == self.started


def this_process() -> Process:
    """Return this process."""
    pid = os.getpid()
    return Process(this_machine(), pid, _start_of(pid))


@cache
def this_machine() -> str:
    """Return a digest that two processes share only if each finds the other by its PID.

    Containers on one host share its boot and have PID namespaces of their own; a host that boots again has lost all
    its processes.
    """
    boot, namespace = "", ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()
        namespace = str(Path("/proc/self/ns/pid").readlink())
    return digest_bytes(f"{platform.node()}\n{boot}\n{namespace}".encode())[:12]


def process_alive(pid: int) -> bool:
    """Return whether a process of this machine runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    if not _has_own_proc():
        return True
    try:
        return _stat(pid)[0] != "Z"
    except OSError:  # the process ended meanwhile
        return False


def _start_of(pid: int) -> str:
    try:
        return _stat(pid)[19] if _has_own_proc() else _UNKNOWN
    except OSError:
        return _UNKNOWN


def _stat(pid: int) -> list[str]:
    """Return the fields of a process's `stat` after the name of its program, from the state on."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()


def _has_own_proc() -> bool:
    """Return whether `/proc` shows the PID namespace of this process; that of the host may be mounted instead."""
    try:
        return str(Path("/proc/self").readlink()) == str(os.getpid())
    except OSError:
        return False
