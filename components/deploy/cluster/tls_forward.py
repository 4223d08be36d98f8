"""TLS inside a port-forward: the pod's certificate is verified, though the connection goes through the API server."""

import io
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from components.deploy.cluster.portforward import PortForward, Reader

_CHUNK_BYTES = 64 * 1024


class TlsForward:
    """TLS connection over a port-forward, with as much of a socket's interface as `http.client` uses.

    Args:
        forward: The port-forward.
        context: Certificates to trust.
        name: Name that the pod's certificate must be valid for.

    Raises:
        ssl.SSLCertVerificationError: the certificate is not to be trusted, or not valid for `name`.
    """

    def __init__(self, forward: PortForward, context: ssl.SSLContext, name: str) -> None:
        self._forward = forward
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_hostname=name)
        try:
            self._run(self._tls.do_handshake)
        except BaseException:
            forward.close()
            raise

    @property
    def deadline(self) -> float:
        """Time on the monotonic clock after which every operation fails."""
        return self._forward.deadline

    @deadline.setter
    def deadline(self, deadline: float) -> None:
        self._forward.deadline = deadline

    def sendall(self, data: Any) -> None:
        """Send bytes to the pod."""
        self._run(self._tls.write, data)

    def receive(self, most: int) -> bytes:
        """Return up to `most` bytes from the pod; none after it has closed the connection."""
        try:
            return bytes(self._run(self._tls.read, most))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return a file to read a response from."""
        assert mode == "rb"  # noqa: S101 — the only mode that http.client uses
        self._forward.open_file()
        return io.BufferedReader(Reader(self))

    def close(self) -> None:
        """Close the connection after the files that read from it."""
        self._forward.close()

    def close_file(self) -> None:
        """Count a file that `makefile` returned as closed."""
        self._forward.close_file()

    def _run(self, operation: Callable[..., Any], *arguments: Any) -> Any:
        """Run an operation of TLS, and carry its bytes over the port-forward meanwhile."""
        while True:
            try:
                result = operation(*arguments)
            except ssl.SSLWantReadError:
                self._send()
                data = self._forward.receive(_CHUNK_BYTES)
                if data:
                    self._received.write(data)
                else:
                    self._received.write_eof()
            except ssl.SSLError:
                with suppress(OSError):
                    self._send()  # the reason, for the pod
                raise
            else:
                self._send()
                return result

    def _send(self) -> None:
        if data := self._to_send.read():
            self._forward.sendall(data)
