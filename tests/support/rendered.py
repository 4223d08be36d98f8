"""Objects of rendered charts, their pods, and rules for those of every chart."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chart_docs
import jsonschema
import kubernetes_validate
import pytest
import yaml
from ruamel.yaml import YAML
from ruamel.yaml.representer import SafeRepresenter

Objects = dict[tuple[str, str], dict[str, Any]]
CHARTS = Path(__file__).parents[2] / "charts"
KUBERNETES = "1.34"
_OPERATORS = {"ServiceMonitor", "PrometheusRule"}  # of the Prometheus operator: Kubernetes does not know them


def read_objects(text: str) -> list[dict[str, Any]]:
    """Return the objects in rendered YAML."""
    return [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]


def value_sets(chart: str) -> list[str]:
    """Return the names of a chart's sets of values."""
    return sorted(path.name.removesuffix("-values.yaml") for path in (CHARTS / chart / "ci").glob("*-values.yaml"))


def of_kind(objects: Objects, kind: str) -> dict[str, dict[str, Any]]:
    """Return the objects of a kind, by name."""
    return {name: obj for (known, name), obj in objects.items() if known == kind}


def pod_templates(objects: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the pod templates of the objects, with the name of each object."""
    for (kind, name), obj in objects.items():
        if kind == "Pod":
            yield name, obj
        elif kind == "CronJob":
            yield name, obj["spec"]["jobTemplate"]["spec"]["template"]
        elif kind in {"Deployment", "StatefulSet"}:
            yield name, obj["spec"]["template"]


def pods(objects: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the pod specifications of the objects."""
    for name, template in pod_templates(objects):
        yield name, template["spec"]


def containers(objects: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield all containers, named `pod/container`."""
    for pod, spec in pods(objects):
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            yield f"{pod}/{container['name']}", container


def container(objects: Objects, name: str) -> dict[str, Any]:
    """Return the container named `pod/container`."""
    return dict(containers(objects))[name]


def environment(container: dict[str, Any]) -> dict[str, str | None]:
    """Return a container's variables; those from Secrets are None."""
    return {entry["name"]: entry.get("value") for entry in container.get("env", ())}


def assert_known_to_kubernetes(objects: Objects) -> None:
    """Check that Kubernetes knows every field."""
    for key, obj in objects.items():
        if key[0] in _OPERATORS:
            continue
        try:
            kubernetes_validate.validate(obj, KUBERNETES, strict=True)
        except jsonschema.ValidationError as err:
            pytest.fail(f"{key}: {err.message}")


def assert_restricted(objects: Objects) -> None:
    """Check pods against the Pod Security Standard `restricted`, and a little more."""
    for name, spec in pods(objects):
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
    for name, container in containers(objects):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
        assert container["securityContext"]["allowPrivilegeEscalation"] is False, name
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
        assert {"requests", "limits"} <= set(container["resources"]), name
        assert ":latest" not in container["image"], name


def assert_no_rights_beyond_namespaces(objects: Objects) -> None:
    """Check that no object is cluster-wide and no role has wildcards."""
    assert not {kind for kind, _ in objects} & {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
    for name, role in of_kind(objects, "Role").items():
        words = [word for rule in role["rules"] for word in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])]
        assert "*" not in words, name


def assert_schema_closed(chart: Path) -> None:
    """Check that the schema has every value of values.yaml, and no other."""
    schema = json.loads((chart / "values.schema.json").read_text("utf-8"))

    def compare(node: dict[str, Any], values: Any, path: str) -> None:
        if "properties" not in node or not isinstance(values, dict) or not values:
            return
        assert node["additionalProperties"] is False, path
        assert set(node["properties"]) - {"global"} == set(values), path
        for key, value in values.items():
            compare(node["properties"][key], value, f"{path}.{key}")

    compare(schema, chart_docs.read_values(chart), "")


def as_text(objects: Objects) -> str:
    """Return the objects as YAML for a golden file, sorted by kind and name."""
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style, writer.width = False, 120
    writer.Representer = _Readable
    stream = io.StringIO()
    writer.dump_all((objects[key] for key in sorted(objects)), stream)
    return stream.getvalue()


class _Readable(SafeRepresenter):
    """A representer that writes texts of several lines as blocks."""

    def represent_str(self, data: str) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Readable.add_representer(str, _Readable.represent_str)
