"""What travels with the code is found, or its absence explained."""

from pathlib import Path

import pytest

from coachworks.bundled_files import checkout, shipped
from coachworks.errors import NotFoundError


def test_a_checkout_has_its_files_at_its_root() -> None:
    root = checkout()
    assert root == Path(__file__).parents[2]
    assert shipped("charts") == root / "charts"
    assert "FROM" in shipped("Dockerfile").read_text("utf-8")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(NotFoundError, match="'charts/none' must come with coachworks"):
        shipped("charts/none")
