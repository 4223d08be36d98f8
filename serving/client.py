"""HTTP client of the service, on the standard library."""

import http.client
import json
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from coachworks.errors import CoachworksError, InvalidConfigError
from coachworks.http_failures import speaks_no_tls
from coachworks.photos import WHOLE, Frame
from coachworks.tls import client_context
from serving.answer_format import ErrorBody, ErrorDocument, Prediction

_TIMEOUT_S = 60
_ATTEMPTS = 5
_LONGEST_PAUSE_S = 10


class RemoteError(CoachworksError):
    """The server does not answer, or not like a coachworks server."""


class Client:
    """Client of the server at `url`.

    Args:
        url: Address of the server, such as `http://127.0.0.1:3000`.
        key: API key; None: the server needs none.
        authority: PEM file with the certificates that the server's is verified with; None: those of the system.

    Raises:
        InvalidConfigError: `url` is not an http or https address, or `authority` holds no certificate.
    """

    def __init__(self, url: str, *, key: str | None = None, authority: Path | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InvalidConfigError(f"url must be the server's address, such as http://127.0.0.1:3000; got {url!r}")
        if authority is not None and parts.scheme == "http":
            raise InvalidConfigError(f"url must begin with https:// where a certificate is to be verified; got {url!r}")
        self._url, self._base = url, parts.path.rstrip("/")
        self._headers = {"Content-Type": "application/octet-stream"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"
        self._connection: http.client.HTTPConnection
        if parts.scheme == "https":
            self._connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=_TIMEOUT_S, context=client_context(authority)
            )
        else:
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S)

    def predict(
        self, photo: bytes, skills: Sequence[str] | None = None, frame: Frame = WHOLE
    ) -> Prediction | ErrorBody:
        """Return the server's answers about a photo, or a part of it, or its reason for refusing the photo.

        A server that is busy or still loading its models (503) is asked again, up to five times.

        Raises:
            RemoteError: the server does not answer, fails, or is not a coachworks server.
        """
        settings = [
            *([f"skills={quote(','.join(skills))}"] if skills else []),
            *([f"box={frame.box}"] if frame.box else []),
            *([f"rotation_degrees={frame.turn}"] if frame.turn else []),
        ]
        query = f"?{'&'.join(settings)}" if settings else ""
        for attempt in range(_ATTEMPTS):
            status, headers, body = self._post(f"{self._base}/v1/predict{query}", photo)
            if status != 503 or attempt == _ATTEMPTS - 1:
                break
            after = headers.get("Retry-After", "")
            time.sleep(min(int(after), _LONGEST_PAUSE_S) if after.isdecimal() else 1)
        try:
            if status == 200:
                return Prediction.model_validate(json.loads(body))
            error = ErrorDocument.model_validate(json.loads(body)).error
        except ValueError as err:
            raise RemoteError(
                f"{self._url} must be a coachworks server; it answered {status} and {body[:80]!r}"
            ) from err
        if status == 401:
            raise RemoteError(
                f"{self._url} answered 401: {error.message}. Name a file that holds the key with "
                "`--api-key-file FILE`, or set COACHWORKS_API_KEY."
            )
        if status in {404, 405} or status >= 500:
            raise RemoteError(f"{self._url} answered {status}: {error.message}. {error.way_out}")
        return error

    def _post(self, path: str, photo: bytes) -> tuple[int, Any, bytes]:
        try:
            return self._exchange(path, photo)
        except (OSError, http.client.HTTPException) as err:
            self._connection.close()
            raise self._no_answer(err) from err

    def _exchange(self, path: str, photo: bytes) -> tuple[int, Any, bytes]:
        """Send a request and read its answer, which may come before the end of the photo."""
        kept = self._connection.sock is not None
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # refused on the way; the answer says why
                self._connection.request("POST", path, photo, self._headers)
            response = self._connection.getresponse()
            return response.status, response.headers, response.read()
        except ConnectionError:
            self._connection.close()
            if not kept:
                raise
            return self._exchange(path, photo)  # the server had closed the idle connection

    def _no_answer(self, err: Exception) -> RemoteError:
        cause = str(err) or type(err).__name__
        if isinstance(err, ssl.SSLCertVerificationError):
            return RemoteError(
                f"the certificate of {self._url} cannot be verified: {err.verify_message.rstrip('.')}. Name a file "
                "with the certificate of its authority, or with its own: `--ca-file FILE`."
            )
        if speaks_no_tls(cause):
            return RemoteError(f"{self._url} speaks plain HTTP. Its address begins with http://.")
        hint = "Is the server running? `coachworks serve`"
        if self._url.startswith("http:") and isinstance(err, ConnectionResetError):  # RemoteDisconnected is one
            hint += ". If it speaks TLS, its address begins with https://."
        return RemoteError(f"{self._url} does not answer: {cause}. {hint}")
