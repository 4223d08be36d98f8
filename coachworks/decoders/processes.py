"""The program's side of its decoder processes: the template, and a handle for each decoder."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from threading import Lock
from typing import Any

from coachworks.decoders.limits import DecodersDownError, Lane
from coachworks.decoders.messages import (
    ANSWER,
    BUFFER_BYTES,
    COMMAND,
    FILE,
    REPLY,
    Answer,
    Command,
    EndedError,
    MalformedError,
    receive,
    send,
)

_START_S = 60.0  # until the template has imported what it needs, on a busy machine
_STOP_S = 5.0
# No variable with a credential reaches a decoder.
_ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ", "VIRTUAL_ENV")
# A small photo's memory is kept for the next one: page faults would take a tenth of the time of decoding it.
_MALLOC = {"MALLOC_TRIM_THRESHOLD_": str(8 * 1024**2), "MALLOC_MMAP_THRESHOLD_": str(4 * 1024**2)}


class Template:
    """The process from which decoders are forked.

    Args:
        function: What is done with each file, as `module:name`.
        options: Its keyword arguments, as JSON values.
    """

    def __init__(self, function: str, options: Mapping[str, Any]) -> None:
        self._lock = Lock()
        self._control, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONDONTWRITEBYTECODE": "1"}
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        environment |= _MALLOC
        command = [sys.executable, "-P", "-m", "coachworks.decoders.template"]
        try:
            self._process = subprocess.Popen(  # noqa: S603 — our own interpreter and module
                [*command, str(theirs.fileno()), function, json.dumps(dict(options))],
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
            )
        except OSError as err:
            self._control.close()
            raise DecodersDownError(f"the decoders' template process cannot be started: {err}") from err
        finally:
            theirs.close()

    def fork(self, lane: Lane) -> "Decoder":
        """Start a decoder.

        Raises:
            DecodersDownError: the system starts no process, or the template has ended.
        """
        ours, theirs = socket.socketpair()
        options = json.dumps(dict(lane.options)).encode()
        command = COMMAND.pack(Command.FORK, lane.memory_bytes, lane.cpu_s, lane.niceness, len(options))
        try:
            with theirs, self._lock:
                self._control.settimeout(_START_S)
                socket.send_fds(self._control, [command], [theirs.fileno()])
                send(self._control, options)
                pid = self._reply()
        except (EndedError, OSError) as err:
            ours.close()
            raise DecodersDownError("the decoders' template process has ended. The log says why.") from err
        if not pid:
            ours.close()
            raise DecodersDownError("no decoder process can be started. The log says why.")
        return Decoder(self, pid, ours)

    def end(self, pid: int) -> int | None:
        """Kill a decoder; return its exit status, negative for a signal. None if the template has ended."""
        with self._lock:
            try:
                self._control.settimeout(_START_S)
                send(self._control, COMMAND.pack(Command.END, pid, 0, 0, 0))
                return self._reply()
            except (EndedError, OSError):
                return None

    def _reply(self) -> int:
        reply: int = REPLY.unpack(receive(self._control, REPLY.size))[0]
        return reply

    @property
    def ended(self) -> bool:
        """True once the process has ended."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End the process, and all decoders with it."""
        self._control.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Decoder:
    """A decoder process; used by one thread at a time.

    Attributes:
        grown_bytes: Largest growth of its memory so far, in bytes.
    """

    def __init__(self, template: Template, pid: int, connection: socket.socket) -> None:
        self._template, self.pid, self._connection = template, pid, connection
        self.grown_bytes = 0
        self._status: int | None = None
        self._ended = False
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)

    @property
    def idle(self) -> bool:
        """True while it waits for a file: it has not ended, and has sent nothing unasked."""
        self._connection.setblocking(False)
        try:
            self._connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def answer(self, data: bytes, *, max_bytes: int, wall_s: float) -> tuple[Answer, bytearray]:
        """Send a file, return the answer.

        Args:
            data: Content of the file.
            max_bytes: Largest answer.
            wall_s: Longest time, in seconds.

        Raises:
            EndedError: the process ended.
            MalformedError: it answered with something else than an answer.
            TimeoutError: there was no answer in time.
        """
        deadline = time.monotonic() + wall_s
        send(self._connection, FILE.pack(len(data)), data, deadline=deadline)
        kind, grown_kib, size = ANSWER.unpack(receive(self._connection, ANSWER.size, deadline=deadline))
        if kind not in list(Answer) or size > max_bytes:
            raise MalformedError
        self.grown_bytes = grown_kib * 1024
        return Answer(kind), receive(self._connection, size, deadline=deadline)

    def end(self) -> int | None:
        """Kill it; return its exit status, negative for a signal: that of its own end if it had ended.

        None: the template has ended, and the decoders with it.
        """
        if not self._ended:  # once: its id may belong to another process afterwards
            self._ended = True
            self._connection.close()
            self._status = self._template.end(self.pid)
        return self._status
