"""The cluster that a fleet is released to, as far as its namespace: pods, Deployments, Services, autoscalers."""

from collections.abc import Sequence
from dataclasses import dataclass

from coachworks.errors import CoachworksError
from coachworks.progress import SILENT, Progress


class RolloutError(CoachworksError):
    """A Deployment does not get ready.

    Attributes:
        deployment: Which.
        pod: Its pod that tells why; empty where none does.
        reason: What Kubernetes calls it (`ImagePullBackOff`), or `Timeout`.
        lasting: Whether waiting was in vain.
    """

    def __init__(
        self, message: str, *, deployment: str, pod: str = "", reason: str = "", lasting: bool = False
    ) -> None:
        super().__init__(message)
        self.deployment, self.pod, self.reason, self.lasting = deployment, pod, reason, lasting


@dataclass(frozen=True, kw_only=True)
class PodState:
    """A pod of a release.

    Attributes:
        name: Its name.
        deployment: Its Deployment.
        group: The pods it answers with: `shared`, or a skill's own.
        track: `stable` or `canary`.
        template: Hash of the pod template it was made from.
        ready: Whether Services send it requests.
        restarts: How often its containers were started again.
        phase: `Pending`, `Running`, `Succeeded`, `Failed`; `Terminating` while it ends.
        address: Its IP address; empty while it has none.
        trouble: Why it does not get ready; empty where Kubernetes has nothing to say.
        reason: What Kubernetes calls that: `ImagePullBackOff`.
        lasting: Whether waiting is in vain.
    """

    name: str
    deployment: str
    group: str
    track: str
    template: str
    ready: bool
    restarts: int
    phase: str
    address: str = ""
    trouble: str = ""
    reason: str = ""
    lasting: bool = False

    @property
    def terminating(self) -> bool:
        """Whether it ends."""
        return self.phase == "Terminating"


@dataclass(frozen=True, kw_only=True)
class DeploymentState:
    """A Deployment of a release.

    Attributes:
        name: Its name.
        group: The pods it makes: `shared`, or a skill's own.
        track: `stable` or `canary`.
        wanted: How many pods it wants.
        updated: How many of them are made from its present template.
        ready: How many pods are ready, whatever template they are made from.
        available: How many have been ready long enough.
        total: How many it has, old ones included.
        observed: Whether Kubernetes has seen its latest change.
        annotations: Its annotations.
        labels: Its labels.
    """

    name: str
    group: str
    track: str
    wanted: int
    updated: int
    ready: int
    available: int
    total: int
    observed: bool
    annotations: dict[str, str]
    labels: dict[str, str]

    @property
    def done(self) -> bool:
        """Whether all its pods, and no others, are made from its present template and available."""
        return self.observed and self.updated == self.total == self.available == self.wanted


@dataclass(frozen=True, kw_only=True)
class ServiceState:
    """A Service of a release: its name, its port, what it selects, and its labels and annotations."""

    name: str
    port: int
    target_port: str
    selector: dict[str, str]
    annotations: dict[str, str]
    labels: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class AutoscalerState:
    """A HorizontalPodAutoscaler of a release: its Deployment, its bounds, and what it sees (per cent of the CPU request)."""

    name: str
    deployment: str
    lowest: int
    highest: int
    pods: int
    target: int | None
    seen: int | None


class Cluster:
    """A namespace of the cluster that the environment names.

    Attributes:
        name: The kubeconfig's context; `in-cluster` within a pod.
        namespace: The namespace.
    """

    name: str
    namespace: str

    def pods(self, release: str, group: str | None = None, track: str | None = None) -> list[PodState]:
        """The pods of a release, those that end included, by name."""
        raise NotImplementedError

    def deployments(self, release: str) -> list[DeploymentState]:
        """The Deployments of a release, by name."""
        raise NotImplementedError

    def services(self, release: str) -> list[ServiceState]:
        """The Services of a release, by name."""
        raise NotImplementedError

    def autoscalers(self, release: str) -> list[AutoscalerState]:
        """The autoscalers of a release, by name."""
        raise NotImplementedError

    def can(self, verb: str, resource: str, subresource: str = "") -> bool:
        """Whether we may, in the namespace: `can("create", "deployments.apps")`, `can("get", "pods", "log")`."""
        raise NotImplementedError

    def wait(
        self,
        release: str,
        deployments: Sequence[str],
        *,
        timeout_s: float,
        progress: Progress = SILENT,
        fail_fast: bool = True,
    ) -> None:
        """Wait until Deployments are as their latest change wants them; RolloutError says why they are not."""
        raise NotImplementedError

    def gone(self, release: str, deployments: Sequence[str], *, timeout_s: float) -> None:
        """Wait until the pods of removed Deployments are gone or end."""
        raise NotImplementedError


def open_cluster(namespace: str | None = None) -> Cluster:
    """The cluster that the environment names, and a namespace in it (None: the context's own)."""
    raise NotImplementedError
