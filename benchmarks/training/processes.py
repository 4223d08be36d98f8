"""A command with the memory of its processes, read from /proc while it runs."""

import os
import resource
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

_EVERY_S = 0.1
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Watched:
    """A command that has ended.

    Attributes:
        output: Its standard output.
        seconds: Time on the clock.
        cpu_s: Processor time of all its processes.
        samples: Time since the epoch, resident bytes of its largest process, and of all its processes together.
    """

    output: str
    seconds: float
    cpu_s: float
    samples: Sequence[tuple[float, int, int]]

    def during(self, start: float, end: float) -> "Watched":
        """Return the part between two times; its processor time is not known."""
        return Watched("", end - start, float("nan"), [sample for sample in self.samples if start <= sample[0] <= end])

    def peak(self) -> tuple[int, int]:
        """Return the peak of any process and of all together, in bytes."""
        none = (0.0, 0, 0)
        return max(self.samples or [none], key=itemgetter(1))[1], max(self.samples or [none], key=itemgetter(2))[2]


def joined(parts: Sequence[Watched]) -> Watched:
    """Return commands that ran one after another as one."""
    return Watched(
        "".join(part.output for part in parts),
        sum(part.seconds for part in parts),
        sum(part.cpu_s for part in parts),
        [sample for part in parts for sample in part.samples],
    )


def watch(command: Sequence[str], *, accepted: Sequence[int] = (0,)) -> Watched:
    """Run a command and sample the memory of its processes.

    Args:
        command: The command.
        accepted: Statuses that are no failure.

    Raises:
        SystemExit: it failed; what it said is on standard error.
    """
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    samples: list[tuple[float, int, int]] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        ended = threading.Event()

        def sample() -> None:
            while not ended.wait(_EVERY_S):
                sizes = _resident(process.pid)
                samples.append((time.time(), max(sizes, default=0), sum(sizes)))

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            output, _ = process.communicate()
        finally:
            ended.set()
            thread.join()
    if process.returncode not in accepted:
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}\n{output}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Watched(output, time.time() - started, cpu_s, samples)


def _resident(root: int) -> list[int]:
    """Return the resident bytes of a process and of all its descendants."""
    try:
        size = int(Path(f"/proc/{root}/statm").read_text("utf-8").split()[1]) * _PAGE
        children = [pid for task in Path(f"/proc/{root}/task").iterdir() for pid in _children(task)]
    except OSError:  # it has ended
        return []
    return [size, *(each for child in children for each in _resident(child))]


def _children(task: Path) -> list[int]:
    return [int(pid) for pid in (task / "children").read_text("utf-8").split()]
