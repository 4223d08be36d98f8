"""Documentation of a chart's values, from values.yaml: the table of its README, the descriptions of its schema."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

_KEY = re.compile(r"^( *)([A-Za-z0-9]+):")


@dataclass(frozen=True)
class Value:
    """One documented value.

    Attributes:
        path: Its keys from the top.
        text: Its comment.
        default: Its default.
    """

    path: tuple[str, ...]
    text: str
    default: Any


def read_values(chart: Path) -> Any:
    """Return the chart's values as plain objects."""
    return YAML(typ="safe", pure=True).load((chart / "values.yaml").read_text("utf-8"))


def documented(chart: Path) -> Iterator[Value]:
    """Yield the values below a comment `# -- …`, in the order of the file."""
    defaults, path, text = read_values(chart), [], ""
    for line in (chart / "values.yaml").read_text("utf-8").splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            text = stripped.removeprefix("# -- ")
        elif stripped.startswith("#") and text:
            text += " " + stripped.removeprefix("#").strip()
        elif match := _KEY.match(line):
            path = [*path[: len(match[1]) // 2], match[2]]
            if text:
                default = defaults
                for key in path:
                    default = default[key]
                yield Value(tuple(path), text, default)
            text = ""


def undocumented(chart: Path) -> list[str]:
    """Return the leaves of values.yaml that no comment covers."""
    covered = {value.path for value in documented(chart)}

    def leaves(value: Any, path: tuple[str, ...]) -> Iterator[str]:
        if path in covered:
            return
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                yield from leaves(inner, (*path, key))
        else:
            yield ".".join(path)

    return list(leaves(read_values(chart), ()))


def readme(chart: Path) -> str:
    """The text of the chart's README."""
    about = YAML(typ="safe", pure=True).load((chart / "Chart.yaml").read_text("utf-8"))
    rows = [
        f"| `{'.'.join(value.path)}` | `{json.dumps(value.default, ensure_ascii=False)}` | {value.text} |"
        for value in documented(chart)
    ]
    origin = "This page is made from `values.yaml` by `make golden`."
    head = [
        f"# {about['name']}",
        "",
        f"{about['description']}.",
        "",
        f"Version {about['version']}, for Kubernetes {about['kubeVersion'].removesuffix('-0')}. {origin}",
        "",
        "## Values",
        "",
        "| value | default | |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *rows, *_repeated(chart)]) + "\n"


def _repeated(chart: Path) -> Iterator[str]:
    """Yield tables of the values under names that a user chooses: the definitions of the schema that have a title."""
    schema = json.loads((chart / "values.schema.json").read_text("utf-8"))
    for definition in schema.get("definitions", {}).values():
        if "title" in definition:
            yield from ("", f"## {definition['title']}", "", "| value | default | |", "|---|---|---|")
            for name, node in definition["properties"].items():
                default = f"`{json.dumps(node['default'])}`" if "default" in node else "needed"
                yield f"| `{name}` | {default} | {node['description']} |"


def described_schema(chart: Path) -> str:
    """Return the chart's schema with the descriptions of values.yaml."""
    schema = json.loads((chart / "values.schema.json").read_text("utf-8"))
    for value in documented(chart):
        node = schema
        for key in value.path:
            node = node["properties"][key]
        node["description"] = value.text
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
