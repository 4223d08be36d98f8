"""Worker processes, one per core, that receive chunks of photos over pipes.

multiprocessing's pools are not used: their workers import the caller's main module again, and outlive a killed caller.
These workers import only what they need, and end when the pipe closes.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

import components
from coachworks.errors import CoachworksError, TransientError
from coachworks.settings import child_environment
from components.embed.work import Job, Photo, Work

_CHUNKS_IN_FLIGHT = 2  # per worker, so that it has the next chunk when it has done one


def run_chunks(job: Job, chunks: Sequence[list[Photo]], *, workers: int) -> Iterator[tuple[list[Photo], NDArray[Any]]]:
    """Yield each chunk with its rows, in the order of completion.

    Args:
        job: Settings that all chunks have in common.
        chunks: Photos with views.
        workers: Number of processes; 1 computes in this process.

    Raises:
        DataError: a photo cannot be read.
        TransientError: a worker process was killed.
        CoachworksError: a worker process failed in another way.
    """
    if workers == 1:
        work = Work(job)
        for chunk in chunks:
            yield chunk, work.chunk(chunk)
        return
    with ExitStack() as stack:
        pipes = {stack.enter_context(pipe): process for pipe, process in (_start(stack) for _ in range(workers))}
        for pipe in pipes:
            pipe.send(job)
        todo = iter(enumerate(chunks))
        for _ in range(_CHUNKS_IN_FLIGHT):
            for pipe in pipes:
                _feed(pipe, todo)
        for _ in range(len(chunks)):
            number, rows, pipe = _next_answer(pipes)
            _feed(pipe, todo)
            yield chunks[number], rows


def _start(stack: ExitStack) -> tuple[Connection, "subprocess.Popen[bytes]"]:
    ours, theirs = Pipe()
    root = str(Path(components.__file__).parents[1])
    environment = {
        **child_environment(),
        "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH")))),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with theirs:
        process = subprocess.Popen(  # noqa: S603 — our own interpreter and module
            [sys.executable, "-m", "components.embed.worker", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    stack.callback(_end, process)  # runs after the pipe is closed
    return ours, process


def _end(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:  # it is computing a chunk
        process.kill()
        process.wait()


def _feed(pipe: Connection, todo: Iterator[tuple[int, list[Photo]]]) -> None:
    following = next(todo, None)
    if following is not None:
        pipe.send(following)


def _next_answer(pipes: "dict[Connection, subprocess.Popen[bytes]]") -> tuple[int, NDArray[Any], Connection]:
    pipe = wait(list(pipes))[0]
    assert isinstance(pipe, Connection)  # noqa: S101 — `wait` returns some of its arguments
    try:
        number, answer = pipe.recv()
    except (EOFError, ConnectionResetError) as err:
        raise _end_of_worker(pipes[pipe].wait()) from err
    if isinstance(answer, Exception):
        raise answer
    return number, answer, pipe


def _end_of_worker(status: int) -> CoachworksError:
    """Return the error for a worker that was killed, as a rule for lack of memory, or that failed."""
    if status < 0:
        return TransientError(
            f"a worker process of embed was killed by signal {-status}; 9 means that memory ran out. What is computed "
            "is kept: run again, with fewer workers (`coachworks embed --workers 1`) if need be."
        )
    return CoachworksError(
        f"a worker process of embed ended with status {status}; its error is above. What is computed is kept: run "
        "again once the cause is removed."
    )
