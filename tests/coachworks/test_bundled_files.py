"""Files that are distributed with the code."""

from pathlib import Path

import pytest

from coachworks.bundled_files import bundled_file, checkout
from coachworks.errors import NotFoundError


def test_a_checkout_has_its_files_at_its_root() -> None:
    root = checkout()
    assert root == Path(__file__).parents[2]
    assert bundled_file("charts") == root / "charts"
    assert "FROM" in bundled_file("Dockerfile").read_text("utf-8")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(NotFoundError, match="'charts/none' must come with coachworks"):
        bundled_file("charts/none")
