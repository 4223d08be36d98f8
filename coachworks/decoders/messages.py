"""Messages between a program and its decoder processes: fixed structs, JSON and raw bytes.

The program never unpickles or evaluates what a decoder sends: a decoder that a crafted file has taken over can send
wrong pixels or a wrong refusal, and cannot make the program run code.
"""

import socket
import struct
import time
from enum import IntEnum

COMMAND = struct.Struct("<BqdiI")  # Command; memory_bytes or process id; cpu_s; niceness; length of JSON
REPLY = struct.Struct("<q")  # from the template: a process id, or an exit status
FILE = struct.Struct("<Q")  # to a decoder: length of the file that follows
ANSWER = struct.Struct("<BIQ")  # from a decoder: Answer; growth of its memory in KiB; length of what follows
BUFFER_BYTES = 1024**2  # most photos fit, so that sending one does not wait for the decoder


class Command(IntEnum):
    """Command to the template process."""

    FORK = 1  # with a socket: start a decoder that is served at it
    END = 2  # kill a decoder and return its exit status


class Answer(IntEnum):
    """Kind of a decoder's answer."""

    PIXELS = 0  # or whatever the function returned
    REFUSED = 1  # JSON: reason and message of a PhotoError
    OUT_OF_MEMORY = 2
    LARGE = 4  # the file is for a lane of large ones
    FAILED = 3  # traceback of an unexpected exception


class EndedError(Exception):
    """The process at the other end of the socket has ended."""


class MalformedError(Exception):
    """A decoder's answer is none."""


def receive(connection: socket.socket, size: int, *, deadline: float | None = None) -> bytearray:
    """Receive exactly `size` bytes.

    Args:
        connection: The socket.
        size: Number of bytes.
        deadline: On the clock of `time.monotonic`; None waits without end.

    Raises:
        EndedError: the other end was closed.
        TimeoutError: the deadline has passed.
    """
    data = bytearray(size)
    view, received = memoryview(data), 0
    while received < size:
        set_deadline(connection, deadline)
        try:
            count = connection.recv_into(view[received:])
        except ConnectionError as err:
            raise EndedError from err
        if count == 0:
            raise EndedError
        received += count
    return data


def send(connection: socket.socket, head: bytes, data: bytes = b"", *, deadline: float | None = None) -> None:
    """Send `head` and `data`, mostly with one system call; errors as `receive`."""
    set_deadline(connection, deadline)
    try:
        sent = connection.sendmsg((head, data))
        if sent < len(head):
            connection.sendall(head[sent:])
            sent = len(head)
        if sent < len(head) + len(data):
            connection.sendall(memoryview(data)[sent - len(head) :])
    except ConnectionError as err:
        raise EndedError from err


def set_deadline(connection: socket.socket, deadline: float | None) -> None:
    """Set the socket's timeout to the time that is left."""
    if deadline is None:
        return
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)
