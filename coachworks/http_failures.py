"""Failures of HTTP requests to any server: transient statuses, TLS failures, and the cause within nested messages."""

import re

# Statuses after which the same request may succeed.
TRANSIENT_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
_UNTRUSTED = ("CERTIFICATE_VERIFY_FAILED", "doesn't match", "TLS CA certificate bundle")
_CAUSES = re.compile(
    r"too many \d{3} error responses|CERTIFICATE_VERIFY_FAILED\][^()]*|WRONG_VERSION_NUMBER"
    r"|hostname [^()]* doesn't match [^()]*|TLS CA certificate bundle, invalid path: [^)]*"
    r"|Connection refused|No route to host|Network is unreachable|Name or service not known"
    r"|Temporary failure in name resolution|No address associated with hostname|timed out"
    r"|Connection reset by peer|closed connection without response"
)
_MAX_MESSAGE = 300  # characters of a message of unknown form that are repeated


def is_untrusted(message: str) -> bool:
    """Return whether a request failed because the server's certificate is not trusted."""
    return any(sign in message for sign in _UNTRUSTED)


def speaks_no_tls(message: str) -> bool:
    """Return whether a request failed because the server speaks plain HTTP on a port addressed as https."""
    return "WRONG_VERSION_NUMBER" in message


def innermost_cause(message: str) -> str:
    """Return the cause from a message in which each HTTP library repeats that of the library below it.

    A message of unknown form is shortened.

    >>> innermost_cause("HTTPConnectionPool(host='h', port=80): Max retries exceeded with url: / (Caused by "
    ...     'NewConnectionError("Failed to establish a new connection: [Errno 111] Connection refused"))')
    'Connection refused'
    """
    causes = _CAUSES.findall(message)
    return str(causes[-1]).strip(" ]:") if causes else shortened(message)


def shortened(message: str) -> str:
    """Return a message as one line of bounded length without its full stop."""
    line = " ".join(message.split()).rstrip(".")
    return line if len(line) <= _MAX_MESSAGE else f"{line[:_MAX_MESSAGE]}…"
