"""What a release is made of, as helm renders it: objects, and the Deployments among them."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.deploy.cluster.state import GROUP, HOOK, KEPT, TRACK

Made = dict[str, Any]


@dataclass(frozen=True)
class Deployments:
    """Deployments of a release, by name."""

    by_name: Mapping[str, Made]

    @property
    def names(self) -> list[str]:
        """Their names."""
        return sorted(self.by_name)

    def templates(self, track: str) -> dict[str, Any]:
        """The pod templates of a track, by group."""
        return {
            made["metadata"]["labels"][GROUP]: made["spec"]["template"]
            for made in self.by_name.values()
            if made["metadata"]["labels"].get(TRACK) == track
        }

    def changed(self, before: "Deployments", track: str) -> list[str]:
        """The groups whose pods are made from another template than `before`, new ones included."""
        earlier = before.templates(track)
        return sorted(group for group, made in self.templates(track).items() if earlier.get(group) != made)

    def replicas(self, group: str, track: str) -> int:
        """How many pods a group is to have."""
        for made in self.by_name.values():
            labels = made["metadata"]["labels"]
            if (labels.get(GROUP), labels.get(TRACK)) == (group, track):
                return int(made["spec"].get("replicas", 1))
        return 1


def read_objects(text: str) -> list[Made]:
    """The objects in rendered YAML; without hooks, as in a manifest, and without what is kept for pods of before."""
    from ruamel.yaml import YAML

    objects = [made for made in YAML(typ="safe").load_all(io.StringIO(text)) if made]
    return [made for made in objects if {HOOK, KEPT}.isdisjoint(made["metadata"].get("annotations") or {})]


def by_name(text: str) -> dict[tuple[str, str], Made]:
    """The objects in rendered YAML, by kind and name."""
    return {(made["kind"], made["metadata"]["name"]): made for made in read_objects(text)}


def read_deployments(text: str) -> Deployments:
    """The Deployments in rendered YAML."""
    return Deployments({made["metadata"]["name"]: made for made in read_objects(text) if made["kind"] == "Deployment"})
