"""A listening socket per skill, opened before the server starts and inherited by it.

Whoever opens them becomes `bentoml serve`, whose processes inherit every descriptor: the one that answers may die, and
what connects meanwhile waits in the sockets' queues for the one that takes its place.
"""

import os
import socket
from collections.abc import Iterable, Mapping

from coachworks.errors import InvalidConfigError

LISTENING_VARIABLE = "COACHWORKS_LISTENING"  # the descriptors, separated by commas; set by `serving.launcher` alone
BACKLOG = 2048


def open_sockets(host: str, ports: Iterable[int]) -> list[socket.socket]:
    """Listen on `ports`, with sockets that child processes inherit.

    Args:
        host: An IP address of this machine; `0.0.0.0` and `::` are all of them.
        ports: The ports; 0 takes a free one.

    Raises:
        InvalidConfigError: one of them cannot be listened on.
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
                "Give the release other ports, or stop what listens there."
            ) from err
    return opened


def listening_variable(sockets: Iterable[socket.socket]) -> dict[str, str]:
    """What tells the processes that inherit `sockets` which descriptors they are."""
    return {LISTENING_VARIABLE: ",".join(str(each.fileno()) for each in sockets)}


def inherited(environ: Mapping[str, str] = os.environ) -> tuple[int, ...]:
    """The descriptors of the sockets that this process inherited."""
    return tuple(int(part) for part in environ.get(LISTENING_VARIABLE, "").split(",") if part)
