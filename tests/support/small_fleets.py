"""Fleets of a few skills: what every fleet file has, around the part that a test is about."""

import json
from collections.abc import Mapping
from typing import Any

from coachworks.fleet.model import Fleet


def fleet_document(skills: Mapping[str, Any], *, name: str = "showroom", **spec: Any) -> dict[str, Any]:
    """Return the document of a fleet file; without `sources`, one folder and its table."""
    sources = [{"photos": "./photos", "table": "./photos.csv"}]
    return {
        "apiVersion": "coachworks.dev/v1",
        "kind": "Fleet",
        "metadata": {"name": name},
        "spec": {"sources": sources, **spec, "skills": dict(skills)},
    }


def fleet_text(skills: Mapping[str, Any], **spec: Any) -> str:
    """Return the text of a fleet file, a field a line."""
    return json.dumps(fleet_document(skills, **spec), indent=1)


def small_fleet(skills: Mapping[str, Any], *, name: str = "showroom", **spec: Any) -> Fleet:
    """Return a fleet that is not located yet."""
    return Fleet.model_validate(fleet_document(skills, name=name, **spec))
