"""Ownership of objects on the cluster: those that a release would create and that belong to somebody else."""

from collections.abc import Iterable
from dataclasses import dataclass

from coachworks.errors import InvalidConfigError, NotFoundError
from coachworks.kubernetes_api import ForbiddenError
from components.deploy.cluster.namespace import Cluster
from components.deploy.cluster.state import GROUP, SKILL, Json

_RELEASE, _NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
_MANAGED_BY = "app.kubernetes.io/managed-by"


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """An object that a release would create and that belongs to somebody else.

    Attributes:
        kind: Its kind.
        name: Its name.
        owner: Its owner, in words.
        way_out: How to avoid it.
    """

    kind: str
    name: str
    owner: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.owner}. {self.way_out}"


class NameTakenError(InvalidConfigError):
    """A release would create an object whose name is taken."""


def find_conflicts(cluster: Cluster, documents: Iterable[Json]) -> tuple[Conflict, ...]:
    """Return the objects that exist already and that Helm would not let the release take over.

    Args:
        cluster: The release.
        documents: Objects that the release does not have yet and would create.
    """
    return tuple(
        _conflict(document, live, cluster)
        for document in documents
        if (live := _read(cluster, document)) is not None and not _belongs_to(live, cluster)
    )


def _read(cluster: Cluster, document: Json) -> Json | None:
    try:
        return cluster.read(document)
    except (NotFoundError, ForbiddenError):  # without the right to look, Helm notices
        return None


def refuse_conflicts(conflicts: Iterable[Conflict], namespace: str) -> None:
    """Refuse a deployment whose objects belong to somebody else.

    Raises:
        NameTakenError: there are conflicts.
    """
    lines = "\n".join(f"  {conflict}" for conflict in conflicts)
    if lines:
        raise NameTakenError(f"names are taken in the namespace {namespace!r}:\n{lines}\nNothing was changed.")


def _belongs_to(live: Json, cluster: Cluster) -> bool:
    """Return whether Helm takes the object for one of the release."""
    labels, annotations = (live["metadata"].get(key) or {} for key in ("labels", "annotations"))
    owner = annotations.get(_RELEASE), annotations.get(_NAMESPACE), labels.get(_MANAGED_BY)
    return owner == (cluster.release, cluster.namespace, "Helm")


def _conflict(document: Json, live: Json, cluster: Cluster) -> Conflict:
    kind, name = document["kind"], document["metadata"]["name"]
    owner = (live["metadata"].get("annotations") or {}).get(_RELEASE)
    way_out = _way_out(document, cluster)
    if owner is None:
        way_out += f" If nobody needs it: `kubectl -n {cluster.namespace} delete {kind.lower()} {name}`."
    belongs = "exists and belongs to no Helm release" if owner is None else f"belongs to the Helm release {owner!r}"
    return Conflict(kind=kind, name=name, owner=belongs, way_out=way_out)


def _way_out(document: Json, cluster: Cluster) -> str:
    labels = (document["metadata"].get("labels") or {}) if document["kind"] == "Service" else {}
    if SKILL in labels:
        setting = f"`serving: {{serviceName: …}}` of {labels[SKILL]}"
    elif GROUP in labels:
        setting = "`spec.deploy.values: {service: {name: …}}`"
    else:
        setting = f"`spec.deploy.release`, which is {cluster.release!r} now"
    return f"Choose another name with {setting}, or another `spec.deploy.namespace`."
