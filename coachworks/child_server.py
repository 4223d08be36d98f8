"""Servers in a child process: a free port, a start that waits for an answer, a stop that leaves no worker behind."""

import errno
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, Literal

from coachworks.errors import CoachworksError, InvalidConfigError, TransientError

_POLL_S = 0.2
_KILL_S = 5.0  # until the watcher has killed what did not stop
_WATCHER = str(Path(__file__).with_name("watched_process.py"))
_PROBE_S = 2.0  # a server that is loading accepts connections before it answers them


class ServerError(CoachworksError):
    """The server did not start."""


class ServerNotReadyError(ServerError, TransientError):
    """The server did not answer in time."""


def check_port(host: str, port: int) -> None:
    """Refuse an address that cannot be listened on.

    Raises:
        InvalidConfigError: the port is taken or reserved, or the host is none of this machine.
    """
    try:
        _bind(host, port)
    except _TakenError as err:
        raise InvalidConfigError(
            f"port must be free; {port} on {host} is not: {err}. Choose another with `--port`."
        ) from err


def free_port(host: str = "127.0.0.1", preferred: int = 0) -> int:
    """Return a port that is free at the moment: the preferred one, else any.

    Raises:
        InvalidConfigError: the preferred port is reserved, or the host is none of this machine.
    """
    try:
        return _bind(host, preferred)
    except _TakenError:
        return _bind(host, 0)


def reachable(host: str) -> str:
    """Return the address at which a server that listens on `host` is reached from this machine, as URLs spell it.

    >>> reachable("0.0.0.0"), reachable("::")
    ('127.0.0.1', '[::1]')
    """
    name = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 — read, not bound
    return f"[{name}]" if ":" in name else name


def http_status(host: str, port: int, path: str) -> int | None:
    """Return the status with which a server answers a GET of `path`; None where it does not answer."""
    connection = http.client.HTTPConnection(reachable(host).strip("[]"), port, timeout=_PROBE_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


@contextmanager
def child_server(
    command: Sequence[str],
    *,
    ready: Callable[[], bool],
    environment: Mapping[str, str],
    folder: Path | None = None,
    log: IO[bytes] | None = None,
    start_timeout_s: float = 120,
    stop_timeout_s: float = 15,
    stop: Literal["process", "group"] = "process",
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server as a child process; the block begins once it is ready, and the server is gone after the block.

    It is gone, with its workers, also if this process is killed; `coachworks.watched_process` sees to that.

    Args:
        command: Program and arguments; no shell is involved.
        ready: Returns whether the server answers; may raise if it never will.
        environment: Its environment.
        folder: Its working directory; None: that of this process.
        log: Receives the server's output; None: it shares that of this process.
        start_timeout_s: Longest time until it is ready, in seconds.
        stop_timeout_s: Longest time from SIGTERM until it is killed, in seconds.
        stop: Receiver of SIGTERM. "process": a supervisor that lets its workers finish their requests. "group": a
            program that would leave its workers behind. SIGKILL always goes to the group.

    Raises:
        ServerError: the server ended before it was ready.
        ServerNotReadyError: it was not ready in time.
    """
    watching, held = os.pipe()  # the end that is held closes with this process, even if that is killed
    try:
        process = subprocess.Popen(  # noqa: S603 — our own command, no shell
            [sys.executable, "-I", _WATCHER, str(watching), str(stop_timeout_s), stop, "--", *command],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[watching],
            start_new_session=True,  # Ctrl-C in the terminal reaches this process only, which then stops the server
        )
    finally:
        os.close(watching)
    try:
        _wait_until_ready(process, ready, start_timeout_s)
        yield process
    finally:
        os.close(held)
        _stop(process, stop_timeout_s)


@contextmanager
def sigterm_as_interrupt(*, hangup: bool = True) -> Iterator[None]:
    """Turn SIGTERM, which supervisors send, and SIGHUP, of a terminal that is closed, into Ctrl-C inside the block.

    Args:
        hangup: Whether SIGHUP is included; it is left alone where it is ignored, as `nohup` has it.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, *([signal.SIGHUP] if hangup else []))}
    for number, handler in previous.items():
        if number == signal.SIGTERM or handler is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def last_lines(log: IO[bytes], count: int) -> list[str]:
    """Return the last lines that a server wrote to its log, without empty ones at the end."""
    # `pread` leaves the position alone, which the server shares and writes at.
    data = os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0)
    return data.decode("utf-8", "replace").strip().splitlines()[-count:]


class _TakenError(Exception):
    pass


def _bind(host: str, port: int) -> int:
    """Listen on a port for a moment; return its number, chosen by the system where `port` is 0."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as err:
        raise InvalidConfigError(f"host must be an address of this machine; got {host!r}: {err.strerror}") from err
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that just stopped does not count
        try:
            probe.bind(address)
        except PermissionError as err:
            raise InvalidConfigError(f"port must be one that you may listen on, above 1023; got {port}") from err
        except OSError as err:
            if err.errno == errno.EADDRNOTAVAIL:
                raise InvalidConfigError(
                    f"host must be an address of this machine, such as 127.0.0.1; got {host!r}"
                ) from err
            raise _TakenError(err.strerror) from err
        return int(probe.getsockname()[1])


def _wait_until_ready(process: "subprocess.Popen[bytes]", ready: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerError(f"the server ended with status {process.returncode}. Its output says why.")
        if ready():
            return
        time.sleep(_POLL_S)
    raise ServerNotReadyError(f"the server must be ready within {timeout_s:g} s; it was not. Its output says why.")


def _stop(process: "subprocess.Popen[bytes]", timeout_s: float) -> None:
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        process.terminate()
        process.wait(timeout_s + _KILL_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what is left of it, workers included
    process.wait()
