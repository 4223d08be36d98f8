"""Licences of the locked packages, from the metadata of what is installed here."""

import importlib.metadata
import re
import tomllib
from pathlib import Path
from typing import Any

RULES: dict[str, Any] = tomllib.loads((Path(__file__).parents[1] / "licences.toml").read_text("utf-8"))
WAY_OUT = (
    "Take another package; or, if it may be shipped, add to tests/licences.toml: "
    "the licence to `allowed`, its spelling to `words`, or the package to `exceptions` with a reason"
)


def shipped(lock: str) -> dict[str, tuple[str, ...]]:
    """Return the images that each package of the lock goes into; packages that go into none are left out."""
    matches = re.findall(r"^# images: (.+)\n(\S+)==", lock, flags=re.MULTILINE)
    return {name: tuple(images.split(", ")) for images, name in matches if images != "none"}


def metadata_licence(name: str) -> str:
    """Return the licence in the metadata of a package, in SPDX where it can be told, else as it is written there."""
    metadata = importlib.metadata.metadata(name)
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classifiers = [line for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    words = [line.rpartition(" :: ")[2] for line in classifiers if not line.endswith("OSI Approved")]
    # The field may also hold the whole text, or no more than a family of licences: classifiers go first.
    words = words or [line for line in [(metadata.get("License") or "").strip()] if line not in {"", "UNKNOWN"}]
    return " AND ".join(RULES["words"].get(word, word) for word in words)


def licence(name: str) -> str:
    """Return the licence of a package: that of its exception, else that of its metadata; empty if unknown."""
    return RULES["exceptions"].get(name, {}).get("licence") or metadata_licence(name)


def problem(name: str, images: tuple[str, ...]) -> str | None:
    """Say why a package may not go into images; None if it may."""
    exception = RULES["exceptions"].get(name)
    if exception is not None:
        allowed = exception.get("images", images)
        elsewhere = ", ".join(sorted(set(images) - set(allowed)))
        only = f"{name} ({exception['licence']}) may go into {', '.join(allowed)} only; is in {elsewhere}"
        return only if elsewhere else None
    expression = metadata_licence(name)
    parts = [part.strip() for part in re.split(r" AND | OR |[()]", expression) if part.strip()]
    refused = [part for part in parts if part not in RULES["allowed"]]
    if expression and not refused:
        return None
    return f"{name} (in {', '.join(images)}): {', '.join(refused) or 'its metadata names no licence'}. {WAY_OUT}"
