"""Access to a pod with API keys or TLS: the keys and certificates of the Secrets that the pod itself mounts."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from coachworks.errors import NotFoundError
from coachworks.kubernetes_api import path_of
from components.deploy.cluster.namespace import Cluster
from components.deploy.cluster.state import GROUP, PodState


@dataclass(frozen=True)
class PodAccess:
    """Means to make requests to a pod.

    Attributes:
        keys: API keys, one of which every request must carry; empty: they need none.
        authority: Certificates that the pod's is verified with, as PEM; empty: the pod speaks plain HTTP.
        names: Names that its certificate must be valid for: those of the Services that select the pod.
    """

    keys: tuple[str, ...] = field(default=(), repr=False)
    authority: str = ""
    names: tuple[str, ...] = ()


OPEN = PodAccess()


def access_to(cluster: Cluster, pod: PodState) -> PodAccess:
    """Return the means to make requests to `pod`; its Secrets are read for it.

    Raises:
        NotFoundError: a Secret is gone, or no Service selects the pod's group.
    """
    keys = _secret(cluster, pod.keys_secret) if pod.keys_secret else {}
    certificate = _secret(cluster, pod.certificate_secret) if pod.certificate_secret else {}
    return PodAccess(
        keys=tuple(key.strip() for name, key in sorted(keys.items()) if not name.startswith(".")),
        authority=certificate.get("ca.crt") or certificate.get("tls.crt", ""),
        names=_names(cluster, pod.group) if certificate else (),
    )


def _names(cluster: Cluster, group: str) -> tuple[str, ...]:
    services = [
        str(service["metadata"]["name"])
        for service in cluster.services()
        if (service["spec"].get("selector") or {}).get(GROUP) == group
    ]
    if not services:
        raise NotFoundError(
            f"the certificate of the pods of {group} is verified by the names of their Services, and there are none. "
            "Deploy again: `coachworks deploy`."
        )
    return tuple(f"{name}.{cluster.namespace}.svc" for name in services)


def _secret(cluster: Cluster, name: str) -> Mapping[str, str]:
    try:
        secret = cluster.connection.get(path_of("v1", "secrets", cluster.namespace, name))
    except NotFoundError as err:
        raise NotFoundError(
            f"the namespace {cluster.namespace} must hold the Secret {name}, which its pods have mounted; it is gone. "
            "Create it again, or name another one under spec.deploy.values."
        ) from err
    return {
        entry: base64.b64decode(text).decode("utf-8", "replace") for entry, text in (secret.get("data") or {}).items()
    }
