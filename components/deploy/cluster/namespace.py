"""Objects of a Helm release in its namespace: pods, Deployments, ReplicaSets, events and logs."""

import json
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from coachworks.errors import CoachworksError
from coachworks.kubernetes_api import (
    ConflictError,
    Connection,
    connect,
    find_pod_problem,
    path_of,
    read_pod_events,
)
from components.deploy.cluster.state import GROUP, TRACK, DeploymentState, Json, PodState, read_deployment, read_pod

__all__ = ["INSTANCE", "Cluster", "DeploymentState", "PodState", "open_cluster"]

INSTANCE = "app.kubernetes.io/instance"
_MAX_LINE = 500  # characters of a log line that a message repeats
_ATTEMPTS = 5  # of a change that conflicts with those of other clients
_LOG_KEYS = ("message", "msg", "event", "error")  # keys of a JSON log line that may hold its message


class Cluster:
    """A Helm release in a namespace of a cluster.

    Attributes:
        connection: The API server.
        namespace: The namespace.
        release: Name of the Helm release.
    """

    def __init__(self, connection: Connection, namespace: str, release: str) -> None:
        self.connection, self.namespace, self.release = connection, namespace, release

    def pods(self, group: str | None = None, track: str | None = None) -> list[PodState]:
        """Return the release's pods by name, terminating ones included.

        Args:
            group: Only pods of this group.
            track: Only pods of this track.
        """
        labels = {GROUP: group, TRACK: track}
        pods = self._list("v1", "pods", {key: value for key, value in labels.items() if value is not None})
        return [read_pod(pod, find_pod_problem(self.connection, self.namespace, pod)) for pod in pods]

    def deployments(self) -> list[DeploymentState]:
        """Return the release's Deployments by name."""
        return [read_deployment(deployment) for deployment in self._list("apps/v1", "deployments")]

    def replica_sets(self) -> list[Json]:
        """Return the release's ReplicaSets: one for each recent pod template of a Deployment."""
        return self._list("apps/v1", "replicasets")

    def services(self) -> list[Json]:
        """Return the release's Services."""
        return self._list("v1", "services")

    def events(self, pod: str) -> list[Json]:
        """Return the events about a pod, oldest first; none if we have no right to list them."""
        return read_pod_events(self.connection, self.namespace, pod)

    def read(self, document: Json) -> Json:
        """Return the live state of an object, whose kind and name `document` has.

        Raises:
            NotFoundError: there is no such object.
        """
        return dict(self.connection.get(self._path(document)))

    def rewrite(
        self,
        document: Json,
        edit: Callable[[Json], Mapping[str, Any]],
        *,
        manager: str = "coachworks",
        dry_run: bool = False,
    ) -> tuple[Json, Json]:
        """Replace the live state of an object by what `edit` makes of it; return the state before and after.

        Args:
            document: The object; its kind and name are read.
            edit: Change of the live state.
            manager: Name of the client that Kubernetes records in `managedFields`.
            dry_run: Whether to change nothing, and to return what the API server would store.

        Raises:
            NotFoundError: there is no such object.
            ConflictError: other clients change it all the time.
        """
        path, query = self._path(document), {"fieldManager": manager} | ({"dryRun": "All"} if dry_run else {})
        for left in reversed(range(_ATTEMPTS)):
            live = self.connection.get(path)
            try:
                return live, self.connection.replace(path, edit(live), **query)
            except ConflictError:  # controllers write their status at the same time
                if not left:
                    raise
        raise AssertionError  # the last attempt returned or raised

    def _path(self, document: Json) -> str:
        resource = f"{document['kind'].lower()}s".replace("policys", "policies")
        return path_of(document["apiVersion"], resource, self.namespace, document["metadata"]["name"])

    def last_line(self, pod: str, container: str) -> str:
        """Return the last log line of a container, else of its previous run; empty if there is none to be seen."""
        path = path_of("v1", "pods", self.namespace, pod, "log")
        for previous in ("false", "true"):
            try:
                log = self.connection.text(path, container=container, tailLines="20", previous=previous)
            except CoachworksError:
                continue
            lines = [line.strip() for line in log.splitlines() if line.strip()]
            if lines:
                return textwrap.shorten(_log_message(lines[-1]), _MAX_LINE, placeholder=" …")
        return ""

    def _list(self, version: str, resource: str, labels: dict[str, str] | None = None) -> list[Json]:
        selector = ",".join(f"{key}={value}" for key, value in {INSTANCE: self.release, **(labels or {})}.items())
        objects = self.connection.get(path_of(version, resource, self.namespace), labelSelector=selector)
        return sorted(objects["items"], key=lambda item: str(item["metadata"]["name"]))


def open_cluster(release: str, namespace: str | None = None) -> Cluster:
    """Connect to the cluster that the environment names (kubeconfig, else the service account of a pod).

    Args:
        release: Name of the Helm release.
        namespace: Its namespace; None: that of the kubeconfig's context, or of the pod.

    Raises:
        InvalidConfigError: no cluster is configured, or it does not accept the credentials.
        TransientError: the cluster does not answer.
    """
    connection = connect()
    connection.get("/version")
    return Cluster(connection, namespace or connection.namespace, release)


def _log_message(line: str) -> str:
    """Return the message of a JSON log line; any other line unchanged."""
    try:
        record: Any = json.loads(line)
    except ValueError:
        return line
    if isinstance(record, dict):
        return next((str(record[key]) for key in _LOG_KEYS if record.get(key)), line)
    return line
