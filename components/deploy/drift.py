"""Drift: objects on the cluster that no longer are as the release has them, because somebody changed them by hand.

Neither Helm nor `kubectl apply` sees an addition to a list, such as another environment variable: no client but its own
owns it. So each object is compared with the API server's answer to its replacement by the released one, as a dry run:
that has the server's defaults, and nothing else. It needs the right to `update` the object.
"""

import copy
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from coachworks.errors import CoachworksError, NotFoundError, TransientError
from coachworks.wording import listed
from components.deploy.cluster.field_changes import FieldChange, field_changes, owner_of
from components.deploy.cluster.namespace import Cluster
from components.deploy.cluster.state import Json
from components.deploy.helm.manifests import Object, RenderedObjects

_RESTARTED = "kubectl.kubernetes.io/restartedAt"  # of `kubectl rollout restart`: it changes no setting
_LISTED = 3  # names of objects in a message
_KEPT = {"ServiceAccount": ("imagePullSecrets", "secrets")}  # clusters add to these by themselves


@dataclass(frozen=True)
class Drift:
    """Changes by hand of a release's objects.

    Attributes:
        changes: The changed fields.
        objects: The changed objects as they are on the cluster, by kind and name; None for one that was removed.
        unknown: Objects that could not be compared, those with the same reason together, and the reason.
    """

    changes: tuple[FieldChange, ...] = ()
    objects: Mapping[tuple[str, str], Json | None] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Return whether anything was changed."""
        return bool(self.objects)


def find_drift(cluster: Cluster, released: RenderedObjects) -> Drift:
    """Compare the objects of a release with those on the cluster, without changing any.

    Args:
        cluster: The release.
        released: Its objects as Helm applied them.

    Raises:
        TransientError: the API server does not answer.
    """
    changes: list[FieldChange] = []
    objects: dict[tuple[str, str], Json | None] = {}
    unknown: defaultdict[str, list[str]] = defaultdict(list)
    for (kind, name), document in released.by_name.items():
        try:
            edit = partial(_replacement, document=document, released=released)
            live, stored = cluster.rewrite(document, edit, dry_run=True)
        except TransientError:
            raise
        except NotFoundError:
            objects[kind, name] = None
            changes.append(FieldChange(object=f"{kind} {name}", field="", live=None, released=None))
        except CoachworksError as err:  # no right, or an admission webhook that knows no dry run
            unknown[str(err)].append(f"{kind} {name}")
        else:
            if differences := field_changes(live, stored):
                objects[kind, name] = live
                changes += differences
    return Drift(tuple(changes), objects, {listed(names, _LISTED): reason for reason, names in unknown.items()})


def mend(cluster: Cluster, drift: Drift, released: RenderedObjects) -> None:
    """Replace the changed objects by the released ones.

    Args:
        cluster: The release.
        drift: What was changed.
        released: The objects of the revision that Helm has just applied; changed ones that it lacks are gone.
    """
    for key in drift.objects:
        if document := released.by_name.get(key):
            with suppress(NotFoundError):
                cluster.rewrite(document, partial(_replacement, document=document, released=released))


def restore(cluster: Cluster, drift: Drift) -> None:
    """Bring the changed objects back to what they were before a deployment that failed, under their client's name."""
    managers = {change.object: change.manager for change in drift.changes if change.manager}
    for (kind, name), saved in drift.objects.items():
        if saved is not None:
            with suppress(NotFoundError):
                manager = managers.get(f"{kind} {name}", "coachworks")
                cluster.rewrite(saved, partial(_restored, saved), manager=manager)


def scale(cluster: Cluster, deployment: Json, pods: int) -> None:
    """Change the number of a Deployment's pods."""
    cluster.rewrite(deployment, lambda live: {**live, "spec": {**live["spec"], "replicas": pods}})


def _restored(saved: Json, live: Json) -> dict[str, Any]:
    """Return an object as it was saved, with the live one's other metadata, such as its version."""
    meta = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
    return {**saved, "metadata": meta | {key: saved["metadata"].get(key) or {} for key in ("labels", "annotations")}}


def _replacement(live: Json, document: Object, released: RenderedObjects) -> dict[str, Any]:
    """Return an object as released, with what clusters and autoscalers write into the live one."""
    body = copy.deepcopy(document)
    meta, live_meta = body["metadata"], live["metadata"]
    both = {key: {**(live_meta.get(key) or {}), **(meta.get(key) or {})} for key in ("labels", "annotations")}
    body["metadata"] = {key: value for key, value in {**live_meta, **meta, **both}.items() if key != "managedFields"}
    body |= {key: live[key] for key in _KEPT.get(body["kind"], ()) if key in live and key not in document}
    if body["kind"] == "Deployment":
        _keep_scale(body, live, released.autoscaled)
        _keep_restart(body["spec"]["template"], live["spec"]["template"])
    return body


def _keep_scale(body: dict[str, Any], live: Json, autoscaled: Mapping[str, int]) -> None:
    """Keep the number of pods that an autoscaler chose; one that finds none leaves it so, and must be woken."""
    by_autoscaler = str(owner_of(live, ("spec", "replicas")).get("manager", "")).endswith("controller-manager")
    if "replicas" not in body["spec"] or by_autoscaler:
        body["spec"]["replicas"] = live["spec"].get("replicas") or autoscaled.get(body["metadata"]["name"], 1)


def _keep_restart(template: dict[str, Any], live: Json) -> None:
    if restarted := (live.get("metadata", {}).get("annotations") or {}).get(_RESTARTED):
        template["metadata"]["annotations"] = {**(template["metadata"].get("annotations") or {}), _RESTARTED: restarted}
