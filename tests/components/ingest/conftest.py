"""Drawn photos, fleets over them, and the tables that come out."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from coachworks.fleet.model import Fleet
from coachworks.results import Result
from coachworks.tables import read_table
from components.ingest.step import ingest


@pytest.fixture
def draw(tmp_path: Path) -> Callable[..., Path]:
    """Write a small photo whose content depends on `seed`."""

    def write(name: str, seed: int = 0, *, size: tuple[int, int] = (48, 32), **options: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path, **options)
        return path

    return write


@pytest.fixture
def make_fleet(tmp_path: Path) -> Callable[..., Fleet]:
    """A located fleet whose sources lie under `tmp_path`; skills by name with their labels."""

    def make(
        *sources: Mapping[str, Any], skills: Mapping[str, list[str]] | None = None, unsure: str | None = None
    ) -> Fleet:
        named = skills or {"animal": ["cat", "dog"]}
        document = {
            "apiVersion": "coachworks.dev/v1",
            "kind": "Fleet",
            "metadata": {"name": "test"},
            "spec": {
                "sources": list(sources) or [{"photos": "photos"}],
                "skills": {name: {"labels": labels, "unsure": unsure} for name, labels in named.items()},
            },
        }
        return Fleet.model_validate(document).located(tmp_path)

    return make


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Write a table beside the folder `photos` and give the source that names both."""

    def write(text: str | bytes, name: str = "photos.csv", photos: str = "photos") -> dict[str, str]:
        (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return {"photos": photos, "table": name}

    return write


@pytest.fixture(scope="session")
def tables() -> Callable[[Result], SimpleNamespace]:
    """A result's tables, by name."""

    def read(result: Result) -> SimpleNamespace:
        return SimpleNamespace(
            catalogue=read_table(result.path / "catalogue.parquet"),
            votes=read_table(result.path / "votes.parquet"),
            labels=read_table(result.path / "labels.parquet"),
            rejected=json.loads((result.path / "rejected.json").read_text("utf-8")),
        )

    return read


@pytest.fixture
def taken_in(
    make_fleet: Callable[..., Fleet], tables: Callable[..., SimpleNamespace]
) -> Callable[..., SimpleNamespace]:
    """Ingest sources (default: the folder `photos`) and give tables and report."""

    def run(*sources: Mapping[str, Any], **options: Any) -> SimpleNamespace:
        result = ingest(make_fleet(*sources, **options))
        read = tables(result)
        read.result, read.report = result, result.report
        read.labelled = {
            (row.filename, row.skill): row.label if isinstance(row.label, str) else None
            for row in read.labels.merge(read.catalogue, on="photo_id").itertuples()
        }
        return read

    return run
