"""A listening socket per skill, opened before the server starts and inherited by its processes.

The launcher opens them and then becomes `bentoml serve`, whose processes inherit every descriptor. While a dead worker
is being replaced, new connections wait in the sockets' queues.
"""

import os
import socket
from collections.abc import Iterable, Mapping

from coachworks.errors import InvalidConfigError

LISTENING_VARIABLE = "COACHWORKS_LISTENING"  # file descriptors, separated by commas; only `serving.launcher` sets it
BACKLOG = 2048


def open_sockets(host: str, ports: Iterable[int]) -> list[socket.socket]:
    """Listen on `ports` with sockets that child processes inherit.

    Args:
        host: An IP address of this machine; `0.0.0.0` and `::` mean all of them.
        ports: The ports; 0 means any free one.

    Raises:
        InvalidConfigError: `host` is not an IP address, or a port is not free.
    """
    opened: list[socket.socket] = []
    for port in ports:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICHOST
            )[0]
        except socket.gaierror as err:
            raise InvalidConfigError(f"host must be an IP address; got {host!r}: {err.strerror}") from err
        listening = socket.socket(family, kind, protocol)
        opened.append(listening)
        listening.set_inheritable(True)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
            listening.listen(BACKLOG)
        except OSError as err:
            for other in opened:
                other.close()
            raise InvalidConfigError(
                f"the port of every skill must be free; {port} on {host} is not: {err.strerror}. "
                "Give the skills other ports, or stop the process that listens there."
            ) from err
    return opened


def sockets_environment(sockets: Iterable[socket.socket]) -> dict[str, str]:
    """Return the environment variable that passes the descriptors of `sockets` to child processes."""
    return {LISTENING_VARIABLE: ",".join(str(each.fileno()) for each in sockets)}


def inherited_sockets(environ: Mapping[str, str] = os.environ) -> tuple[int, ...]:
    """Return the file descriptors of the sockets that this process inherited."""
    return tuple(int(part) for part in environ.get(LISTENING_VARIABLE, "").split(",") if part)
