"""Objects of a release as Helm renders them, and the Deployments among them."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from components.deploy.cluster.state import GROUP, HOOK, KEPT, TRACK

Object = dict[str, Any]


@dataclass(frozen=True)
class RenderedObjects:
    """Objects of a release.

    Attributes:
        by_name: The objects, by kind and name.
    """

    by_name: Mapping[tuple[str, str], Object] = field(default_factory=dict)

    @cached_property
    def _deployments(self) -> list[Object]:
        return [each for (kind, _), each in sorted(self.by_name.items()) if kind == "Deployment"]

    @property
    def deployment_names(self) -> list[str]:
        """Names of the Deployments."""
        return [each["metadata"]["name"] for each in self._deployments]

    @property
    def autoscaled(self) -> dict[str, int]:
        """The fewest pods that an autoscaler keeps, by the Deployment that it scales."""
        scalers = (each["spec"] for (kind, _), each in self.by_name.items() if kind == "HorizontalPodAutoscaler")
        return {each["scaleTargetRef"]["name"]: int(each.get("minReplicas", 1)) for each in scalers}

    @property
    def services(self) -> list[Object]:
        """The Services, those of skills and others."""
        return [each for (kind, _), each in self.by_name.items() if kind == "Service"]

    def pod_templates(self, track: str) -> dict[str, Any]:
        """Return the pod templates of a track, by group."""
        return {
            each["metadata"]["labels"][GROUP]: each["spec"]["template"]
            for each in self._deployments
            if each["metadata"]["labels"].get(TRACK) == track
        }

    def changed_groups(self, before: "RenderedObjects", track: str) -> list[str]:
        """Return the groups whose pod template differs from the one in `before`, new groups included."""
        earlier = before.pod_templates(track)
        return sorted(group for group, template in self.pod_templates(track).items() if earlier.get(group) != template)

    def replicas(self, group: str, track: str) -> int:
        """Return the number of pods that a group's Deployment asks for; 1 where an autoscaler decides."""
        for each in self._deployments:
            labels = each["metadata"]["labels"]
            if (labels.get(GROUP), labels.get(TRACK)) == (group, track):
                return int(each["spec"].get("replicas", 1))
        return 1


@lru_cache(maxsize=16)  # a deployment reads the same few manifests several times; parsing one takes a tenth of a second
def parse_objects(text: str) -> RenderedObjects:
    """Parse rendered YAML, without hooks and without ConfigMaps that are kept for pods of the last revision."""
    from ruamel.yaml import YAML

    objects = [each for each in YAML(typ="safe").load_all(io.StringIO(text)) if each]
    return RenderedObjects(
        {
            (each["kind"], each["metadata"]["name"]): each
            for each in objects
            if {HOOK, KEPT}.isdisjoint(each["metadata"].get("annotations") or {})
        }
    )
