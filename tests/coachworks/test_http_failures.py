"""Messages of urllib3 and requests, as recorded, and the causes that are read from them."""

import pytest

from coachworks.http_failures import innermost_cause, is_untrusted, speaks_no_tls

_POOL = "HTTPSConnectionPool(host='127.0.0.1', port=6443): Max retries exceeded with url: /version (Caused by "
REFUSED = _POOL + (
    "NewConnectionError(\"HTTPConnection(host='127.0.0.1', port=6443): Failed to establish a new connection: "
    '[Errno 111] Connection refused"))'
)
UNKNOWN_HOST = _POOL + (
    "NameResolutionError(\"HTTPSConnection(host='cluster.invalid', port=6443): Failed to resolve 'cluster.invalid' "
    '([Errno -2] Name or service not known)"))'
)
TIMEOUT = _POOL + (
    "ReadTimeoutError(\"HTTPConnectionPool(host='127.0.0.1', port=6443): Read timed out. (read timeout=0.99)\"))"
)
DISCONNECTED = _POOL + (
    "ProtocolError('Connection aborted.', RemoteDisconnected('Remote end closed connection without response')))"
)
PLAIN_HTTP = _POOL + "SSLError(SSLError(1, '[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)')))"
SELF_SIGNED = _POOL + (
    "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed "
    "certificate (_ssl.c:1006)')))"
)
OTHER_HOST = _POOL + (
    'SSLError(SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname '
    "mismatch, certificate is not valid for 'localhost'. (_ssl.c:1006)\")))"
)
NO_BUNDLE = "Could not find a suitable TLS CA certificate bundle, invalid path: /etc/none.pem"
TOO_MANY = (
    "API request to http://mlflow/api failed with exception HTTPConnectionPool(host='mlflow', port=80): Max retries "
    "exceeded with url: /api (Caused by ResponseError('too many 503 error responses'))"
)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (REFUSED, "Connection refused"),
        (UNKNOWN_HOST, "Name or service not known"),
        (TIMEOUT, "timed out"),
        (DISCONNECTED, "closed connection without response"),
        (PLAIN_HTTP, "WRONG_VERSION_NUMBER"),
        (SELF_SIGNED, "CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate"),
        (NO_BUNDLE, "TLS CA certificate bundle, invalid path: /etc/none.pem"),
        (TOO_MANY, "too many 503 error responses"),
    ],
)
def test_the_innermost_cause_is_read_from_a_nested_message(message, cause):
    assert innermost_cause(message) == cause


def test_a_message_of_unknown_form_is_shortened_to_one_line():
    assert innermost_cause("no\nway.") == "no way"
    assert innermost_cause("x" * 500) == "x" * 300 + "…"


def test_failures_of_tls_are_told_apart():
    assert all(map(is_untrusted, (SELF_SIGNED, OTHER_HOST, NO_BUNDLE)))
    assert speaks_no_tls(PLAIN_HTTP)
    assert not any(map(is_untrusted, (PLAIN_HTTP, REFUSED, TIMEOUT, TOO_MANY)))
    assert not any(map(speaks_no_tls, (SELF_SIGNED, REFUSED)))
