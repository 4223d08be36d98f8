"""Translation of helm's error messages into errors of coachworks, with a way out."""

import re

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError
from coachworks.kubernetes_api import forbidden

_NOISE = re.compile(
    r"^(WARNING: |[WIE]\d{4} |level=(WARN|INFO|DEBUG)|time=\S+ level=(WARN|INFO|DEBUG)|\d{4}/\d\d/\d\d \S+ ).*"
)
_WRAPPING = re.compile(r"^Error: |^(UPGRADE|INSTALLATION|ROLLBACK|UNINSTALLATION) FAILED: ", re.IGNORECASE)
_UNREACHABLE = (
    "cluster unreachable",
    "connection refused",
    "connection reset",
    "i/o timeout",
    "tls handshake timeout",
    "no such host",
    "no route to host",
    "context deadline exceeded",
    "client rate limiter",
    "etcdserver: ",
    "server is currently unable to handle the request",
    "too many requests",
    "unexpected eof",
)
_UNAUTHENTICATED = ("you must be logged in", "unauthorized", "asked for the client to provide credentials")


class HelmError(CoachworksError):
    """Helm or Kubernetes refused a change of the release."""


class UnfinishedError(HelmError):
    """Another install, upgrade or rollback of the release is in progress, or was killed: see `Helm.recover`."""


def translate_failure(output: str, *, release: str, namespace: str) -> CoachworksError:
    """Translate the output of a failed helm command into an error of coachworks."""
    message = clean_message(output)
    lower = message.lower()
    if "is in progress" in lower and "another operation" in lower:
        return UnfinishedError(
            f"an install, upgrade or rollback of {release!r} in the namespace {namespace!r} is in progress, or was "
            f"killed: {message}. `coachworks deploy` recovers from it once no other deployer is at work; `helm -n "
            f"{namespace} history {release}` shows it."
        )
    if re.search(r"release: not found|release .*not found|revision \d+ .*not found|has no \d+ version", lower):
        return NotFoundError(
            f"there is no such release or revision of {release!r} in the namespace {namespace!r}: {message}"
        )
    if "is forbidden" in lower and "cannot" in lower:
        return forbidden("Kubernetes", message)
    if any(sign in lower for sign in _UNAUTHENTICATED):
        return InvalidConfigError(
            f"Kubernetes does not accept the credentials: {message}. Log in to the cluster of the kubeconfig again."
        )
    if re.search(r'namespaces? "[^"]*" not found', lower):
        return NotFoundError(
            f"there is no namespace {namespace!r}: create it with `kubectl create namespace {namespace}`, or correct "
            "`spec.deploy.namespace`."
        )
    if any(sign in lower for sign in _UNREACHABLE):
        return TransientError(f"helm cannot reach the cluster: {message}. Check KUBECONFIG, then try again.")
    return HelmError(f"helm refused {release!r} in the namespace {namespace!r}: {message}")


def clean_message(output: str) -> str:
    """Return helm's message without warnings and without its standard prefixes."""
    lines = [line.rstrip() for line in output.strip().splitlines() if not _NOISE.match(line)]
    message = "\n".join(lines).strip() or output.strip()
    while (shorter := _WRAPPING.sub("", message)) != message:
        message = shorter
    return message.rstrip(".")
