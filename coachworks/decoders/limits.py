"""Limits of decoder processes, and the errors for files that exceed them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from coachworks.errors import PhotoError, TransientError
from coachworks.photos import Reason

_MIB = 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A group of decoders with the same limits.

    Attributes:
        name: Name of the lane, in metrics.
        workers: Number of processes; as many files are decoded at the same time.
        cpu_s: Longest processor time for one file, in seconds.
        memory_bytes: Largest memory of one process, beyond that of an idle one.
        options: Keyword arguments of the function in this lane, as JSON values.
        niceness: Added to the niceness of the processes: the others come first when processor cores are short.
    """

    name: str
    workers: int
    cpu_s: float
    memory_bytes: int
    niceness: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)


class Cause(StrEnum):
    """Cause of the replacement of a decoder process."""

    CPU_TIME = "cpu-time"
    MEMORY = "memory"
    WALL_TIME = "wall-time"
    CRASH = "crash"
    IDLE = "idle"  # it ended without a file, such as by `kill`
    GROWN = "grown"  # its memory has grown, and the next process starts small


class LimitError(PhotoError):
    """A file that exceeds the limits of its lane; another lane may have higher ones.

    Attributes:
        cause: The limit; None if the file was refused before it reached one.
    """

    def __init__(self, cause: Cause | None, message: str) -> None:
        super().__init__(Reason.TOO_COSTLY, message)
        self.cause = cause

    def __reduce__(self) -> tuple[type["LimitError"], tuple[Cause | None, str]]:  # type: ignore[override]
        return type(self), (self.cause, str(self))


class DecodersDownError(TransientError):
    """No decoder process works."""


def limit_error(cause: Cause, lane: Lane, wall_s: float) -> PhotoError:
    """Return the error for a file whose decoder ended, or had to be ended, for `cause`."""
    match cause:
        case Cause.CPU_TIME:
            return LimitError(cause, f"the file must be decoded within {lane.cpu_s:g} s of processor time; it was not")
        case Cause.MEMORY:
            limit = lane.memory_bytes // _MIB
            return LimitError(cause, f"the file must be decoded within {limit} MiB of memory; it needs more")
        case Cause.WALL_TIME:
            return LimitError(cause, f"the file must be decoded within {wall_s:.3g} s; it was not")
        case _:
            return PhotoError(Reason.TOO_COSTLY, "the file must be decoded without an error of the decoder; it was not")
