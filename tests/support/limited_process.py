"""A process with the resources of a pod on this machine: one core, and a memory limit where cgroups can be written."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_CGROUPS = Path("/sys/fs/cgroup")


@contextmanager
def memory_cgroup(limit_bytes: int) -> Iterator[Path | None]:
    """Create a cgroup with a memory limit; None where this process may not."""
    version_1 = _CGROUPS / "memory"
    folder = (version_1 if version_1.is_dir() else _CGROUPS) / f"coachworks-test-{os.getpid()}"
    try:
        folder.mkdir()
        name = "memory.limit_in_bytes" if version_1.is_dir() else "memory.max"
        (folder / name).write_text(str(limit_bytes))
    except OSError:
        with suppress(OSError):
            folder.rmdir()
        yield None
        return
    try:
        yield folder
    finally:
        with suppress(OSError):  # a process may still be ending
            folder.rmdir()


def limited(command: Sequence[str], cgroup: Path | None, core: int = 0) -> list[str]:
    """Return the command on one core and in a cgroup."""
    pinned = ["taskset", "-c", str(core), *command]
    if cgroup is None:
        return pinned
    return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(cgroup), *pinned]


def killed_for_memory(cgroup: Path | None) -> int:
    """Return how many processes of a cgroup the system has killed for lack of memory."""
    for name in ("memory.oom_control", "memory.events"):
        path = cgroup / name if cgroup else None
        if path and path.exists():
            fields = dict(line.split() for line in path.read_text().splitlines())
            return int(fields.get("oom_kill", 0))
    return 0


def family(pid: int) -> list[psutil.Process]:
    """Return a process and its descendants."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def runs(process: psutil.Process) -> bool:
    """Return whether a process has not ended; one that nobody has waited for yet has."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def memory_bytes(pid: int) -> int:
    """Return the memory of a process and its descendants; what they share counts once."""
    total = 0
    for process in family(pid):
        with suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total
