"""A pool of decoder processes in lanes: each file goes to an idle one, and one that ends is replaced at once."""

import json
import logging
import queue
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Event, Lock, Thread
from types import MappingProxyType
from typing import Any, Self

from coachworks.decoders.limits import Cause, DecodersDownError, Lane, LimitError, limit_error
from coachworks.decoders.messages import Answer, EndedError, MalformedError
from coachworks.decoders.processes import Decoder, Template
from coachworks.errors import CoachworksError, PhotoError
from coachworks.photos import Reason

logger = logging.getLogger(__name__)

_GROWN_BYTES = 24 * 1024**2  # more than most photos need: the process is replaced, which returns its memory
_TRIES = 3  # starts in a row that fail before the decoders count as down
_RETRY_S = 1.0  # then there is one start per so many seconds
_MESSAGE_CHARACTERS = 500
# Of an exit status; SIGKILL comes from the kernel where memory is short, and without a status the template has ended.
_CAUSES = {-signal.SIGPROF: Cause.CPU_TIME, -signal.SIGKILL: Cause.MEMORY, None: Cause.IDLE}


class Decoders:
    """Run a function on untrusted files in processes that may be killed; a context manager, thread-safe.

    A file that takes too much processor time or memory, or ends its process, costs one call: the process is replaced.
    The processes end when this one does, however it ends.

    Args:
        function: What is done with each file, as `module:name`; takes its bytes, returns bytes, and may raise
            PhotoError. It can open no files, so that it must have imported what it needs.
        lanes: The lanes; each has processes of its own.
        sample: File on which every new process is tried before it counts.
        options: Keyword arguments of the function, as JSON values.
        max_answer_bytes: Largest result of the function; a longer one ends the process.
        on_replaced: Called with the lane's name and the cause whenever a process is replaced.
    """

    def __init__(
        self,
        function: str,
        lanes: Sequence[Lane],
        *,
        sample: bytes,
        options: Mapping[str, Any] = MappingProxyType({}),
        max_answer_bytes: int = 1024**2,
        on_replaced: Callable[[str, Cause], None] = lambda lane, cause: None,
    ) -> None:
        self._function, self._options, self._sample = function, options, sample
        self._max_answer_bytes, self._on_replaced = max_answer_bytes, on_replaced
        self._lanes = {lane.name: lane for lane in lanes}
        self._idle: dict[str, queue.SimpleQueue[Decoder]] = {lane.name: queue.SimpleQueue() for lane in lanes}
        self._missing: queue.SimpleQueue[Lane | None] = queue.SimpleQueue()  # None: the pool is closed
        self._lock = Lock()
        self._template: Template | None = None
        self._failures, self._failure = 0, "they are being started"
        self._closed = Event()
        self._restarting = Thread(target=self._restart, name="decoders", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def start(self) -> None:
        """Start all processes; where that fails, it is tried again until it succeeds, and `check` raises meanwhile."""
        for lane in self._lanes.values():
            for _ in range(lane.workers):
                self._add(lane)
        self._restarting.start()

    def close(self) -> None:
        """End all processes; calls in progress raise DecodersDownError."""
        self._closed.set()
        self._missing.put(None)
        with self._lock:
            if self._template is not None:
                self._template.close()
        if self._restarting.ident is not None:
            self._restarting.join()

    def check(self) -> None:
        """Raise if no process can be started.

        Raises:
            DecodersDownError: several starts in a row have failed.
        """
        if self._closed.is_set():
            raise DecodersDownError("the decoders are stopped")
        if self._failures >= _TRIES:
            raise DecodersDownError(f"no decoder process works: {self._failure}")

    def run(self, data: bytes, lane: str, *, wall_s: float) -> bytearray:
        """Return the function's result for a file.

        Args:
            data: Content of the file.
            lane: Name of the lane.
            wall_s: Longest time with the wait for an idle process, in seconds.

        Raises:
            LimitError: the file exceeds a limit of the lane, or the time was over.
            PhotoError: the function refused the file, or the file ended its process.
            DecodersDownError: no process works.
        """
        limits, deadline = self._lanes[lane], time.monotonic() + wall_s
        for _ in range(_TRIES):
            cause, kind, answer = self._try(data, limits, deadline, wall_s)
            if cause != Cause.IDLE:
                break
        if cause is not None and cause != Cause.GROWN:
            self.check()  # a file is not to blame where the decoders were stopped
            raise limit_error(cause, limits, wall_s)
        return _result(kind, answer)

    def _try(self, data: bytes, limits: Lane, deadline: float, wall_s: float) -> tuple[Cause | None, Answer, bytearray]:
        """Return the answer of a process, and the cause for which it had to be replaced."""
        lane = limits.name
        decoder = self._take(limits, deadline, wall_s)
        cause: Cause | None = Cause.CRASH
        kind, answer = Answer.FAILED, bytearray()
        try:
            kind, answer = decoder.answer(
                data, max_bytes=self._max_answer_bytes, wall_s=max(0.0, deadline - time.monotonic())
            )
            cause = Cause.GROWN if decoder.grown_bytes > _GROWN_BYTES else None
            if kind == Answer.OUT_OF_MEMORY:
                cause = Cause.MEMORY
        except TimeoutError:
            cause = Cause.WALL_TIME
        except MalformedError:
            pass
        except EndedError:
            cause = _CAUSES.get(decoder.end(), Cause.CRASH)
        finally:
            if cause is None:
                self._idle[lane].put(decoder)
            else:
                self._replace(decoder, limits, cause)
        return cause, kind, answer

    def _take(self, lane: Lane, deadline: float, wall_s: float) -> Decoder:
        """Return an idle process of the lane; wait for one until the deadline."""
        while True:
            self.check()
            try:
                decoder = self._idle[lane.name].get(timeout=min(1.0, max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                if time.monotonic() >= deadline:
                    raise limit_error(Cause.WALL_TIME, lane, wall_s) from None
                continue
            if decoder.idle:
                return decoder
            self._replace(decoder, lane, Cause.IDLE)

    def _replace(self, decoder: Decoder, lane: Lane, cause: Cause) -> None:
        decoder.end()
        if not self._closed.is_set():
            self._on_replaced(lane.name, cause)
            self._missing.put(lane)

    def _add(self, lane: Lane) -> None:
        """Start a process of the lane; where that fails, it is tried again."""
        try:
            decoder = self._start(lane)
        except DecodersDownError as err:
            self._failures, self._failure = self._failures + 1, str(err)
            if not self._closed.is_set():
                logger.error("a decoder process of the lane %s does not start: %s", lane.name, err)
                self._missing.put(lane)
            return
        self._failures = 0
        self._idle[lane.name].put(decoder)

    def _restart(self) -> None:
        """Start the missing processes, in a thread of its own: no caller waits for them."""
        while (lane := self._missing.get()) is not None:
            if self._failures >= _TRIES:
                self._closed.wait(_RETRY_S)
            if not self._closed.is_set():
                self._add(lane)

    def _start(self, lane: Lane) -> Decoder:
        """Start a process and try it on the sample."""
        with self._lock:
            if self._closed.is_set():
                raise DecodersDownError("the decoders are stopped")
            if self._template is not None and self._template.ended:
                self._template.close()
                self._template = None
            if self._template is None:
                self._template = Template(self._function, self._options)
            template = self._template
        decoder = template.fork(lane)
        try:
            kind, answer = decoder.answer(self._sample, max_bytes=self._max_answer_bytes, wall_s=60)
            _result(kind, answer)
        except (EndedError, MalformedError, TimeoutError, CoachworksError) as err:
            status = decoder.end()
            raise DecodersDownError(f"a new one fails on a sample, with exit status {status}: {err!r}") from err
        return decoder


class DecoderFailedError(CoachworksError):
    """The function raised what it must not raise: a defect of it."""


def _result(kind: Answer, answer: bytearray) -> bytearray:
    """Return the function's result, or raise its error. What a decoder sends is not trusted."""
    if kind == Answer.PIXELS:
        return answer
    if kind == Answer.LARGE:
        raise LimitError(None, "the file must be a small photo; it is a large one")
    if kind != Answer.REFUSED:
        raise DecoderFailedError(f"the decoder failed: {answer.decode('utf-8', 'replace')}")
    try:
        document = json.loads(answer)
        reason, message = Reason(document["reason"]), str(document["message"])[:_MESSAGE_CHARACTERS]
    except (ValueError, TypeError, LookupError, RecursionError) as err:
        raise DecoderFailedError("the decoder's refusal cannot be read") from err
    raise PhotoError(reason, message)
