"""Questions to one pod, through Kubernetes' port-forward: no Service, no other pod in between."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from components.deploy.cluster import Cluster


@dataclass(frozen=True)
class Reply:
    """What a pod answered: status, body, how long it took, headers (by lower-case name)."""

    status: int
    body: bytes
    seconds: float
    headers: Mapping[str, str]


class Conversation:
    """Several requests to one pod over one connection; a context manager."""

    def __init__(self, cluster: Cluster, pod: str, *, port: int = 3000, timeout_s: float = 30) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        raise NotImplementedError

    def __exit__(self, *exc: object) -> None:
        raise NotImplementedError

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        """One request; TransientError where the pod does not answer, NotFoundError where it is gone."""
        raise NotImplementedError


def ask(
    cluster: Cluster,
    pod: str,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    port: int = 3000,
    timeout_s: float = 30,
) -> Reply:
    """One request over a connection of its own."""
    raise NotImplementedError
