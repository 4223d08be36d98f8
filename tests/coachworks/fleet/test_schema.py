"""The published schema and the page of the fleet file are those of the model."""

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from coachworks.fleet.model import Fleet
from coachworks.fleet.schema import fleet_schema, known_keys

REFERENCE = Path(__file__).parents[3] / "docs/reference"


def field_names() -> list[str]:
    schema = fleet_schema()
    parts = [schema, *schema["$defs"].values()]
    return sorted({name for part in parts for name in part.get("properties", {})})


def fields_without_description() -> list[str]:
    schema = fleet_schema()
    return [
        f"{part.get('title')}.{name}"
        for part in (schema, *schema["$defs"].values())
        for name, field in part.get("properties", {}).items()
        if not field.get("description") and "$ref" not in field
    ]


def test_the_published_schema_is_that_of_the_model(golden: Callable[[Path, str], None]):
    golden(REFERENCE / "fleet.schema.json", json.dumps(fleet_schema(), indent=2, ensure_ascii=False) + "\n")


@pytest.mark.parametrize("name", field_names())
def test_every_field_is_documented(name):
    assert f"| `{name}` |" in (REFERENCE / "fleet-file.md").read_text()


def test_every_field_describes_itself_in_the_schema():
    assert fields_without_description() == []


def test_the_schema_accepts_what_the_model_accepts(valid):
    value = YAML(typ="safe", pure=True).load(valid)
    Fleet.model_validate(value)
    jsonschema.Draft202012Validator.check_schema(fleet_schema())
    jsonschema.validate(value, fleet_schema())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("unsure: unsure", "unsre: unsure"),
        ("kind: Fleet", "kind: Pod"),
        ("name: showroom", "name: Show Room"),
        ("image-quality:", "Image_Quality:"),
        ("port: 9722", "port: many"),
        ("[good, blurry]", "[good]"),
        ("[good, blurry]", "[good, good]"),
    ],
)
def test_the_schema_refuses_what_a_schema_can_see(valid, old, new):
    value = YAML(typ="safe", pure=True).load(valid.replace(old, new))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, fleet_schema())


def test_the_known_keys_of_any_place_are_found():
    assert "labels" in known_keys(["spec", "skills", "anything"])
    assert "port" in known_keys(["spec", "defaults", "serving"])
    assert "photos" in known_keys(["spec", "sources", 3])
    assert known_keys(["spec", "store"]) == []
