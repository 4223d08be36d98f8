"""What helm fails with becomes one of our errors: its own words without their wrapping, and the way out."""

import re

from coachworks.errors import CoachworksError, InvalidConfigError, NotFoundError, TransientError
from coachworks.kubernetes_api import forbidden

_NOISE = re.compile(
    r"^(WARNING: |[WIE]\d{4} |level=(WARN|INFO|DEBUG)|time=\S+ level=(WARN|INFO|DEBUG)|\d{4}/\d\d/\d\d \S+ ).*"
)
_WRAPPING = re.compile(r"^Error: |^(UPGRADE|INSTALLATION|ROLLBACK|UNINSTALLATION) FAILED: ", re.IGNORECASE)
_AWAY = (
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
_UNKNOWN = ("you must be logged in", "unauthorized", "asked for the client to provide credentials")


class HelmError(CoachworksError):
    """Helm, or Kubernetes through it, refused."""


class UnfinishedError(HelmError):
    """An earlier install, upgrade or rollback of the release was not finished: see `Helm.recover`."""


def translation(told: str, *, release: str, namespace: str) -> CoachworksError:
    """The error of ours that says what helm's standard error says."""
    message = cleaned(told)
    lower = message.lower()
    if "is in progress" in lower and "another operation" in lower:
        return UnfinishedError(
            f"an install, upgrade or rollback of {release!r} in the namespace {namespace!r} is at work, or was killed: "
            f"{message}. `coachworks deploy` recovers from it once nobody is at work; `helm -n {namespace} history "
            f"{release}` shows it."
        )
    if re.search(r"release: not found|release .*not found|revision \d+ .*not found|has no \d+ version", lower):
        return NotFoundError(
            f"there is no such release or revision of {release!r} in the namespace {namespace!r}: {message}"
        )
    if "is forbidden" in lower and "cannot" in lower:
        return forbidden("Kubernetes", message)
    if any(sign in lower for sign in _UNKNOWN):
        return InvalidConfigError(
            f"Kubernetes does not know who is asking: {message}. Log in to the cluster of the kubeconfig anew."
        )
    if re.search(r'namespaces? "[^"]*" not found', lower):
        return NotFoundError(
            f"there is no namespace {namespace!r}: make it with `kubectl create namespace {namespace}`, or correct "
            "`spec.deploy.namespace`."
        )
    if any(sign in lower for sign in _AWAY):
        return TransientError(f"helm cannot reach the cluster: {message}. Check KUBECONFIG, then try again.")
    return HelmError(f"helm refused {release!r} in the namespace {namespace!r}: {message}")


def cleaned(told: str) -> str:
    """Helm's message without warnings and without what it begins every message with."""
    lines = [line.rstrip() for line in told.strip().splitlines() if not _NOISE.match(line)]
    message = "\n".join(lines).strip() or told.strip()
    while (shorter := _WRAPPING.sub("", message)) != message:
        message = shorter
    return message.rstrip(".")
