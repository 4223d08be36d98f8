"""Fabricated results of ingest, without photos."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from small_fleets import small_fleet

from coachworks.context import Context
from coachworks.fleet.model import Fleet
from coachworks.results import load, produce
from coachworks.store import FolderStore
from coachworks.tables import CATALOGUE, LABELS, read_table, write_table
from components.split.step import split


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    skills = {"animal": {"labels": ["cat", "dog"]}, "quality": {"labels": ["good", "bad"]}}
    return small_fleet(skills, name="test", split={"train": 0.6, "validation": 0.2, "test": 0.2}).located(tmp_path)


@pytest.fixture
def ingested(store: FolderStore) -> Callable[..., str]:
    """Function that publishes a result of ingest and returns its key.

    Photos are mappings: photo_id, set_id, split, and labels by skill.
    """

    def publish(photos: Sequence[Mapping[str, Any]], rejected: Sequence[Mapping[str, str]] = ()) -> str:
        rows = [{"filename": f"{photo['photo_id']}.jpg", "split": None, **photo} for photo in photos]
        labels = [
            {
                "photo_id": row["photo_id"],
                "skill": skill,
                "label": row[skill],
                "confidence": 1.0,
                "votes": 1,
                "agreement": 1.0,
            }
            for row in rows
            for skill in ("animal", "quality")
            if skill in row
        ]

        def build(folder: Path) -> dict[str, Any]:
            write_table(pd.DataFrame(rows, columns=list(CATALOGUE)), folder / "catalogue.parquet", CATALOGUE)
            write_table(pd.DataFrame(labels, columns=list(LABELS)), folder / "labels.parquet", LABELS)
            (folder / "rejected.json").write_text(json.dumps(list(rejected)), "utf-8")
            return {"skills": {"animal": {}, "quality": {}}}

        content = [[dict(photo) for photo in photos], [dict(entry) for entry in rejected]]
        return produce("ingest", {"content": content}, build, context=Context(store), code="test").key

    return publish


@pytest.fixture
def divided(fleet: Fleet, store: FolderStore, ingested: Callable[..., str]) -> Callable[..., SimpleNamespace]:
    """Function that splits photos and returns the split per photo and per set, the labels and the report."""

    def run(
        photos: Sequence[Mapping[str, Any]], rejected: Sequence[Mapping[str, str]] = (), *, by: Fleet = fleet
    ) -> SimpleNamespace:
        result = split(by, ingested(photos, rejected))
        table = read_table(result.path / "splits.parquet")
        return SimpleNamespace(
            result=load(store, "split", result.key),
            reused=result.reused,
            report=result.report,
            table=table,
            photos=dict(zip(table.photo_id, table.split, strict=True)),
            sets=dict(zip(table.set_id, table.split, strict=True)),
            labels=read_table(result.path / "labels.parquet"),
        )

    return run
