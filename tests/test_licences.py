"""The licences of what goes into the images are allowed ones; tests/licences.toml has the rules."""

import importlib.metadata
from email.message import Message
from pathlib import Path

import pytest
from licences import RULES, metadata_licence, problem, shipped

LOCK = (Path(__file__).parents[1] / "requirements.lock").read_text("utf-8")


def test_every_package_in_an_image_has_an_allowed_licence() -> None:
    packages = shipped(LOCK)
    assert len(packages) > 150
    assert [text for name, images in packages.items() if (text := problem(name, images))] == []


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"License-Expression": "MIT"}, None),
        ({"License-Expression": "MIT AND (Apache-2.0 OR BSD-3-Clause)"}, None),
        ({"License": "Apache 2.0"}, None),
        ({"Classifier": "License :: OSI Approved :: MIT License", "License": "see the file"}, None),
        ({"License-Expression": "AGPL-3.0-only"}, "AGPL-3.0-only"),
        ({"License-Expression": "MIT AND GPL-2.0-or-later"}, "GPL-2.0-or-later"),
        ({"Classifier": "License :: Other/Proprietary License"}, "Other/Proprietary License"),
        ({"License": "ours"}, "ours"),
        ({"License": "UNKNOWN"}, "its metadata names no licence"),
        ({"Classifier": "License :: OSI Approved"}, "its metadata names no licence"),
        ({}, "its metadata names no licence"),
    ],
)
def test_an_unknown_licence_and_one_that_is_not_allowed_are_refused(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], refused: str | None
) -> None:
    metadata = Message()
    for name, value in fields.items():
        metadata[name] = value
    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: metadata)
    text = problem("parcel", ("steps", "serving"))
    if refused is None:
        assert text is None
    else:
        assert text is not None
        assert text.startswith(f"parcel (in steps, serving): {refused}. Take another package; or, ")
        assert "tests/licences.toml" in text


def test_an_exception_holds_for_the_images_that_it_names() -> None:
    assert problem("psycopg", ("platform",)) is None
    assert problem("psycopg", ("serving", "platform")) == (
        "psycopg (LGPL-3.0-only) may go into platform only; is in serving"
    )


@pytest.mark.parametrize("name", RULES["exceptions"])
def test_an_exception_is_needed_and_has_a_reason(name: str) -> None:
    exception = RULES["exceptions"][name]
    assert name in shipped(LOCK)
    assert exception["reason"].endswith(".")
    assert not set(metadata_licence(name).split(" AND ")) <= set(RULES["allowed"]) or not metadata_licence(name)


def test_the_ways_of_writing_a_licence_are_in_use() -> None:
    """A spelling that no package uses any more is removed."""
    metadata = [importlib.metadata.metadata(name) for name in shipped(LOCK)]
    lines = {line.rpartition(" :: ")[2] for each in metadata for line in each.get_all("Classifier") or []}
    lines |= {(each.get("License") or "").strip() for each in metadata}
    assert set(RULES["words"]) - lines == set()
