"""The client against servers that answer too early, or have closed a connection."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from serving.answer_format import ErrorBody
from serving.client import Client, RemoteError
from serving.errors import Code, RefusalError

REFUSAL = RefusalError(Code.TOO_LARGE, "the body must have at most 5 bytes").document().model_dump_json().encode()
HEAD = f"HTTP/1.1 413 Too Large\r\nContent-Length: {len(REFUSAL)}\r\n".encode()


@contextmanager
def server(*answers: Callable[[socket.socket], None]) -> Iterator[str]:
    """Answer each connection with the next of `answers`; the block gets the server's URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for answer in answers:
                connection, _ = listening.accept()
                with connection:
                    answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(10)


def refuse_and_reset(connection: socket.socket) -> None:
    """Answer after the headers, and close while the client is sending."""
    connection.recv(4096)
    connection.sendall(HEAD + b"Connection: close\r\n\r\n" + REFUSAL)


def refuse_and_keep(connection: socket.socket) -> None:
    """Answer one request; close the connection afterwards, although the answer does not say so."""
    connection.recv(65536)
    connection.sendall(HEAD + b"\r\n" + REFUSAL)


def test_an_answer_before_the_end_of_the_photo_is_read():
    with server(refuse_and_reset) as url:
        refused = Client(url).predict(b"x" * 50_000_000)
    assert refused == ErrorBody(**json.loads(REFUSAL)["error"])


def test_a_connection_that_was_closed_while_idle_is_opened_again():
    with server(refuse_and_keep, refuse_and_keep) as url:
        client = Client(url)
        assert [type(client.predict(b"x")) for _ in range(2)] == [ErrorBody, ErrorBody]


def test_a_server_that_never_answers_is_named():
    with (
        server(lambda connection: None) as url,
        pytest.raises(RemoteError, match=rf"{url} does not answer: .*Is the server running\? `coachworks serve`"),
    ):
        Client(url).predict(b"x")
