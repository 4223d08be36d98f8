"""The service's certificate: a folder with `tls.crt` and `tls.key`, as Kubernetes mounts a Secret of its kind.

The files are read again while the service runs, so that a renewed certificate is used without a restart.
"""

import logging
import os
import ssl
import time
from collections.abc import Mapping
from pathlib import Path

from coachworks.errors import DataError

logger = logging.getLogger(__name__)

CERTIFICATE_VARIABLE = "COACHWORKS_CERTIFICATE"  # folder of the certificate; unset: plain HTTP
FILES = ("tls.crt", "tls.key")
REREAD_S = 1.0
_WAY_OUT = "In a pod it is a Secret: `kubectl create secret tls NAME --cert=tls.crt --key=tls.key`."


class Certificate:
    """A certificate with its private key.

    Args:
        folder: Folder with `tls.crt` and `tls.key`, both PEM.

    Raises:
        DataError: a file is missing or holds something else, they do not belong together, or the certificate is not
            valid today.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._version, self._read_at = self._stat(), time.monotonic()
        self._context = self._load()

    def context(self) -> ssl.SSLContext:
        """Return the context for a new connection, with the certificate that the folder holds now.

        One that cannot be used is logged, and the earlier one is kept.
        """
        now = time.monotonic()
        if now - self._read_at >= REREAD_S:
            self._read_at = now
            if (version := self._stat()) != self._version:
                self._version = version
                try:
                    self._context = self._load()
                except DataError as err:
                    logger.error("the earlier certificate is kept: %s", err)
                else:
                    logger.info("the certificate in %s was renewed", self._folder)
        return self._context

    def _stat(self) -> tuple[tuple[int, int, int] | None, ...]:
        """Return what changes with the files: Kubernetes replaces both at once, by a link to their folder."""
        versions: list[tuple[int, int, int] | None] = []
        for name in FILES:
            try:
                status = (self._folder / name).stat()
                versions.append((status.st_ino, status.st_mtime_ns, status.st_size))
            except OSError:
                versions.append(None)
        return tuple(versions)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        for name in FILES:
            try:
                (self._folder / name).read_bytes()
            except OSError as err:
                raise self._unusable(f"{name} cannot be read: {err.strerror}") from err
        try:
            context.load_cert_chain(self._folder / FILES[0], self._folder / FILES[1], password=_no_password)
        except (ssl.SSLError, ValueError) as err:
            raise self._unusable(_reason(err)) from err
        try:
            _shake_hands(context, self._folder / FILES[0])
        except ssl.SSLError as err:
            reason = err.verify_message if isinstance(err, ssl.SSLCertVerificationError) else str(err)
            raise self._unusable(f"{FILES[0]}: {reason}") from err
        return context

    def _unusable(self, reason: str) -> DataError:
        return DataError(f"{self._folder} must hold a valid certificate and its private key: {reason}. {_WAY_OUT}")


def certificate_of(environ: Mapping[str, str] = os.environ) -> Certificate | None:
    """Read the certificate in the folder that COACHWORKS_CERTIFICATE names; None if it is not set.

    Raises:
        DataError: as `Certificate`.
    """
    folder = environ.get(CERTIFICATE_VARIABLE)
    return Certificate(Path(folder)) if folder else None


def _no_password() -> str:
    raise ValueError("tls.key is encrypted, and there is nobody to type its password")


def _reason(err: Exception) -> str:
    if not isinstance(err, ssl.SSLError):
        return str(err)
    if err.reason == "KEY_VALUES_MISMATCH":
        return "tls.key is the key of another certificate"
    return f"they are not PEM: {err.reason or err}"


def _shake_hands(context: ssl.SSLContext, certificate: Path) -> None:
    """Connect to `context` in memory as a client that trusts nothing but the certificate: OpenSSL judges its dates."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False  # names are for clients to verify
    trusting.load_verify_locations(certificate)
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        trusting.wrap_bio(to_client, to_server),
        context.wrap_bio(to_server, to_client, server_side=True),
    ]
    while sides:
        for side in list(sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            sides.remove(side)
