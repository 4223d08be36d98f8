"""What Kubernetes refuses becomes one of our errors, with the way out."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError

_UNTRUSTED = ("CERTIFICATE_VERIFY_FAILED", "doesn't match", "WRONG_VERSION_NUMBER")
_FOR_NOW = frozenset({408, 429, 500, 502, 503, 504})
_FORBIDDEN = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]*)")?'
)
_WAY_OUT = (
    "Ask an administrator to install charts/platform with `rbac.create` and the namespace in `rbac.servingNamespaces`."
)


class ConflictError(CoachworksError):
    """Somebody else made or changed the object a moment ago: read it again."""


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Errors of Kubernetes' client become ours.

    Args:
        where: What to call the cluster in a message.

    Raises:
        TransientError: it does not answer, or answers that it cannot for now.
        InvalidConfigError: it does not know us, does not let us, or its certificate is not trusted.
        NotFoundError: what was asked for does not exist.
        ConflictError: somebody else changed the object.
    """
    import urllib3
    from kubernetes.client import ApiException

    try:
        yield
    except ApiException as err:
        raise translation(where, err.status or 0, _message(err)) from err
    except (urllib3.exceptions.HTTPError, OSError) as err:
        raise translation(where, 0, str(err)) from err


def translation(where: str, status: int, message: str) -> CoachworksError:
    """The error of ours that says what an answer of the API server means.

    Args:
        where: What to call the cluster.
        status: The HTTP status; 0 where there was no answer.
        message: What was said.
    """
    if status == 0 and any(sign in message for sign in _UNTRUSTED):
        return InvalidConfigError(
            f"the certificate of {where} is not trusted: {_cause(message)}. Correct `certificate-authority` in the "
            "kubeconfig."
        )
    if status == 0:
        return TransientError(
            f"{where} does not answer ({_cause(message)}). Check KUBECONFIG and that the cluster can be reached, then "
            "try again."
        )
    if status == 401:
        return InvalidConfigError(
            f"{where} does not know who is asking (401). The credentials of the kubeconfig's context have run out or "
            "are wrong: log in to the cluster anew."
        )
    if status == 403:
        return forbidden(where, message)
    if status == 404:
        return NotFoundError(f"{where} does not have what was asked for: {message}")
    if status == 409:
        return ConflictError(f"{where}: {message}")
    if status in _FOR_NOW:
        return TransientError(f"{where} is busy ({status}): {message}. Try again.")
    return CoachworksError(f"{where} refused ({status}): {message}")


def forbidden(where: str, message: str) -> InvalidConfigError:
    """The error for a right that is missing, as Kubernetes or Helm tell of it, or for what admission refuses."""
    told = _FORBIDDEN.search(message)
    if told is None:
        return InvalidConfigError(f"{where} refuses: {message}")
    resource = f"{told['resource']}.{told['group']}" if told["group"] else told["resource"]
    place = f"in the namespace {told['namespace']!r}" if told["namespace"] else "in the whole cluster"
    return InvalidConfigError(f"{where} does not let {told['user']} {told['verb']} {resource} {place}. {_WAY_OUT}")


def _message(err: Any) -> str:
    try:
        return str(json.loads(err.body)["message"])
    except (TypeError, ValueError, KeyError):
        return str(err.body or err.reason or err).strip()


def _cause(message: str) -> str:
    """The innermost reason that a chain of HTTP libraries tells."""
    found = re.findall(
        r"CERTIFICATE_VERIFY_FAILED\][^()]*|WRONG_VERSION_NUMBER|hostname [^()]* doesn't match [^()]*"
        r"|Connection refused|No route to host|Network is unreachable|Name or service not known"
        r"|Temporary failure in name resolution|No address associated with hostname|timed out"
        r"|Connection reset by peer|closed connection without response",
        message,
    )
    return str(found[-1]).strip(" ]:") if found else " ".join(message.split())[:300]
