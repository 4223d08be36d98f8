"""Ingest and split on real photos."""

import csv
from collections import Counter

import pytest

from coachworks.fleet.model import Fleet
from coachworks.tables import read_table
from components.ingest.step import ingest
from components.split.step import split

pytestmark = pytest.mark.data


def fleet_over(folder, store, *skills):
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    document = {
        "apiVersion": "coachworks.dev/v1",
        "kind": "Fleet",
        "metadata": {"name": folder.name},
        "spec": {
            "store": str(store.root),
            "sources": [{"photos": str(folder), "table": str(folder / "labels.csv")}],
            "skills": {skill: {"labels": sorted({row[skill] for row in rows})} for skill in skills},
        },
    }
    return Fleet.model_validate(document), rows


def test_trashnet_is_taken_in_with_its_three_contradictions(data_folder, store):
    fleet, rows = fleet_over(data_folder / "trashnet", store, "material")
    result = ingest(fleet)
    assert (result.report.photos, result.report.duplicates, result.report.rejected) == (2524, 3, {})
    assert result.report.unlabelled == 3
    labels = read_table(result.path / "labels.parquet")
    contradicting = labels[labels.label.isna()]
    assert contradicting.votes.tolist() == [2, 2, 2]
    votes = read_table(result.path / "votes.parquet")
    assert len(votes) == len(rows)
    assert (votes[votes.photo_id.isin(contradicting.photo_id)].groupby("photo_id").label.nunique() == 2).all()
    assert ingest(fleet).reused
    report = split(fleet, result.key).report
    assert report.photos == pytest.approx({"train": 1767, "validation": 378.5, "test": 378.5}, abs=3)
    for counts in report.skills["material"].values():
        assert counts["test"] / sum(counts.values()) == pytest.approx(0.15, abs=0.01)


def test_the_official_split_of_grocery_is_honoured(data_folder, store):
    fleet, rows = fleet_over(data_folder / "grocery", store, "fine", "coarse")
    result = ingest(fleet)
    catalogue = read_table(result.path / "catalogue.parquet")
    divided = read_table(split(fleet, result.key).path / "splits.parquet")
    got = dict(zip(catalogue.filename, divided.split, strict=True))
    assert got == {row["path"]: row["split"].replace("val", "validation") for row in rows}
    assert Counter(got.values()) == {"train": 972, "validation": 180, "test": 567}
