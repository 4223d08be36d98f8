"""TLS as a client: certificates are verified by authority and by name, always."""

import ssl
from pathlib import Path

from coachworks.errors import InvalidConfigError


def client_context(authority: Path | None = None, *, data: str | None = None) -> ssl.SSLContext:
    """Return a context that verifies a server's certificate and its name; TLS 1.2 or later.

    Args:
        authority: PEM file with the certificates to trust, a server's own included.
        data: The same as text. Without both, those of the operating system.

    Raises:
        InvalidConfigError: there is no certificate in it.
    """
    try:
        context = ssl.create_default_context(cafile=authority, cadata=data)
    except (OSError, ValueError) as err:  # SSLError is an OSError
        place = str(authority) if authority else "the text"
        reason = err.strerror if isinstance(err, OSError) and not isinstance(err, ssl.SSLError) else "it has none"
        raise InvalidConfigError(f"{place} must hold certificates to trust, as PEM: {reason}") from err
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a server's own certificate may be all that is trusted
    return context
