"""A bento on this machine: `bentoml serve` in a process of its own, stopped when the block is left."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO

from coachworks.child_server import ServerError, check_port, child_server, http_status, reachable
from coachworks.settings import child_environment


@dataclass(frozen=True, eq=False)
class BentoServer:
    """A running server.

    Attributes:
        url: Its address.
        process: `bentoml serve`.
    """

    url: str
    process: "subprocess.Popen[bytes]"


@contextmanager
def bento_server(
    bento: Path,
    *,
    host: str,
    port: int,
    environment: Mapping[str, str] = MappingProxyType({}),
    log: IO[bytes] | None = None,
    timeout_s: float = 120,
) -> Iterator[BentoServer]:
    """Serve the bento in the folder `bento`; the block begins once its models have answered a first photo.

    Args:
        bento: Folder of the bento.
        host: Address to listen on.
        port: Port to listen on.
        environment: More environment variables.
        log: Receives the server's output; None: it shares that of this process.
        timeout_s: Longest time until it is ready, in seconds.

    Raises:
        InvalidConfigError: the port is taken.
        ServerError: the server ended, or was not ready in time.
    """
    check_port(host, port)
    command = [sys.executable, "-m", "bentoml", "serve", str(bento), "--host", host, "--port", str(port), "--quiet"]
    with tempfile.TemporaryDirectory(prefix="coachworks-serve-") as home:
        server = child_server(
            command,
            ready=lambda: _is_ready(host, port),
            environment={**child_environment(), **environment, "BENTOML_HOME": home, "BENTOML_DO_NOT_TRACK": "True"},
            folder=Path(home),
            log=log,
            start_timeout_s=timeout_s,
        )
        with server as process:
            yield BentoServer(url=f"http://{reachable(host)}:{port}", process=process)


def _is_ready(host: str, port: int) -> bool:
    if http_status(host, port, "/readyz") == 200:
        return True
    if http_status(host, port, "/livez") == 503:
        raise ServerError("the server cannot load its models. Its output says why.")
    return False
