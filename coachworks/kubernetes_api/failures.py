"""Translation of Kubernetes' refusals into errors of coachworks, with the way out."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError
from coachworks.http_failures import TRANSIENT_STATUSES, innermost_cause, is_untrusted, speaks_no_tls

_FORBIDDEN = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]*)")?'
)
_WAY_OUT = (
    "Ask an administrator to install charts/platform with `rbac.create` and the namespace in `rbac.servingNamespaces`."
)


class ConflictError(CoachworksError):
    """The object was created or changed by another client in the meantime: read it again."""


class ForbiddenError(InvalidConfigError):
    """A right is missing, or admission control refuses the object (403)."""


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Translate errors of the Kubernetes client.

    Args:
        where: Description of the cluster for messages.

    Raises:
        TransientError: no response, or the server is temporarily unable to respond.
        ForbiddenError: a right is missing.
        InvalidConfigError: the credentials are not accepted, or the server's certificate is not trusted.
        NotFoundError: the object does not exist.
        ConflictError: another client changed the object.
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
    """Return the error for a response of the API server.

    Args:
        where: Description of the cluster.
        status: HTTP status; 0 if there was no response.
        message: Message of the server or of the HTTP library.
    """
    if status == 0 and (is_untrusted(message) or speaks_no_tls(message)):
        return InvalidConfigError(
            f"the certificate of {where} is not trusted: {innermost_cause(message)}. Correct "
            "`certificate-authority` in the kubeconfig."
        )
    if status == 0:
        return TransientError(
            f"{where} does not answer ({innermost_cause(message)}). Check KUBECONFIG and that the cluster can "
            "be reached, then try again."
        )
    if status == 401:
        return InvalidConfigError(
            f"{where} does not accept the credentials (401). Those of the kubeconfig's context have expired or are "
            "wrong: log in to the cluster again."
        )
    if status == 403:
        return forbidden(where, message)
    if status == 404:
        return NotFoundError(f"{where} does not have the object: {message}")
    if status == 409:
        return ConflictError(f"{where}: {message}")
    if status in TRANSIENT_STATUSES:
        return TransientError(f"{where} is busy ({status}): {message}. Try again.")
    return CoachworksError(f"{where} refused ({status}): {message}")


def forbidden(where: str, message: str) -> ForbiddenError:
    """Return the error for a missing right, from the message of Kubernetes or Helm, or for an admission refusal."""
    match = _FORBIDDEN.search(message)
    if match is None:
        return ForbiddenError(f"{where} refuses: {message}")
    resource = f"{match['resource']}.{match['group']}" if match["group"] else match["resource"]
    scope = f"in the namespace {match['namespace']!r}" if match["namespace"] else "in the whole cluster"
    return ForbiddenError(f"{where} does not let {match['user']} {match['verb']} {resource} {scope}. {_WAY_OUT}")


def _message(err: Any) -> str:
    try:
        return str(json.loads(err.body)["message"])
    except (TypeError, ValueError, KeyError):
        return str(err.body or err.reason or err).strip()
