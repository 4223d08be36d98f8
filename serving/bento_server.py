"""Running a bento on this machine: `bentoml serve` in a process of its own, stopped when the block is left."""

import http.client
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from coachworks.errors import CoachworksError, InvalidConfigError
from coachworks.settings import child_environment

_POLL_S = 0.2
_STOP_S = 15  # answers under way are finished; then the process is ended


class ServerError(CoachworksError):
    """The server did not start."""


@dataclass(frozen=True, eq=False)
class BentoServer:
    """A running server.

    Attributes:
        url: Where it listens.
        process: `bentoml serve`.
    """

    url: str
    process: "subprocess.Popen[bytes]"


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def check_port(host: str, port: int) -> None:
    """Refuse an address that cannot be listened on.

    Raises:
        InvalidConfigError: the port is taken, or the host is none of this machine.
    """
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
            raise InvalidConfigError(
                f"port must be free; {port} on {host} is not: {err.strerror}. Choose another with `--port`."
            ) from err


@contextmanager
def bento_server(
    bento: Path, *, host: str, port: int, log: IO[bytes] | None = None, timeout_s: float = 120
) -> Iterator[BentoServer]:
    """Serve the bento in the folder `bento`; the block begins once its models have answered a first photo.

    Args:
        bento: Folder of the bento.
        host: Address to listen on.
        port: Port to listen on.
        log: Where the server's output goes; None: to ours.
        timeout_s: Longest that it may take to be ready, in seconds.

    Raises:
        InvalidConfigError: the port is taken.
        ServerError: the server ended, or was not ready in time.
    """
    check_port(host, port)
    with tempfile.TemporaryDirectory(prefix="coachworks-serve-") as home:
        process = subprocess.Popen(  # noqa: S603 — our own interpreter, no shell
            [sys.executable, "-m", "bentoml", "serve", str(bento), "--host", host, "--port", str(port), "--quiet"],
            env={**child_environment(), "BENTOML_HOME": home, "BENTOML_DO_NOT_TRACK": "True"},
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C reaches it once, from us
        )
        try:
            _wait_until_ready(process, host, port, timeout_s)
            yield BentoServer(url=f"http://{_reachable(host)}:{port}", process=process)
        finally:
            _stop(process)


def _reachable(host: str) -> str:
    name = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 — read, not bound
    return f"[{name}]" if ":" in name else name


def _wait_until_ready(process: "subprocess.Popen[bytes]", host: str, port: int, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerError(f"the server ended with status {process.returncode}. Its output says why.")
        if _status(host, port, "/readyz") == 200:
            return
        if _status(host, port, "/livez") == 503:
            raise ServerError("the server cannot load its models. Its output says why.")
        time.sleep(_POLL_S)
    raise ServerError(f"the server must be ready within {timeout_s:g} s; it was not. Its output says why.")


def _status(host: str, port: int, path: str) -> int | None:
    connection = http.client.HTTPConnection(_reachable(host).strip("[]"), port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
