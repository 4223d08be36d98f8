"""Values of the fleet chart, as `coachworks deploy` writes them."""

import hashlib
from typing import Any

BACKBONE = {
    "name": "efficientnet-lite0",
    "digest": "5c1f0a7be2d94c38",
    "sha256": hashlib.sha256(b"backbone").hexdigest(),
}


def model(skill: str, version: str = "1", **more: Any) -> dict[str, Any]:
    """A skill's part of the bundle's manifest."""
    return {
        "question": f"What about {skill}?",
        "labels": ["no", "yes"],
        "threshold": 0.7,
        "kind": "linear",
        "version": version,
        "head_sha256": hashlib.sha256(f"{skill} {version}".encode()).hexdigest(),
        "metrics": {"balanced_accuracy": 0.9},
        "provenance": {"created_at": f"2026-03-0{version}T10:00:00+00:00"},
    } | more


def skill(name: str, version: str = "1", **more: Any) -> dict[str, Any]:
    """One entry of `skills`."""
    return {"model": model(name, version), **more}


def dedicated(name: str, version: str = "1", **more: Any) -> dict[str, Any]:
    """One entry of `skills` with pods of its own."""
    return skill(name, version, layout="dedicated", **more)


def fleet(*, skills: dict[str, dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """Values of a fleet: of two skills, one with pods of its own, where nothing else is said."""
    entries = {"body": skill("body"), "side": dedicated("side")} if skills is None else skills
    return {
        "fleet": "showroom",
        "releaseDigest": "0a1b2c3d4e5f",
        "image": {"repository": "registry.example/serving", "tag": "1a2b3c"},
        "models": {"store": "s3://team-models/showroom"},
        "backbone": BACKBONE,
        "skills": entries,
        **more,
    }
