from datetime import datetime

import pandas as pd
import pyarrow.parquet as pq
import pytest

from coachworks.errors import DataError
from coachworks.tables import (
    CATALOGUE,
    LABELS,
    SPLIT_LABELS,
    VOTES,
    arrow_schema,
    read_table,
    with_present_names,
    write_table,
)

ROW = {"photo_id": "a", "skill": "s", "label": None, "confidence": None, "votes": 2, "agreement": 0.5}


@pytest.mark.parametrize("columns", [CATALOGUE, VOTES, LABELS, SPLIT_LABELS])
def test_every_table_can_be_written_without_rows(columns, tmp_path):
    write_table(pd.DataFrame(columns=list(columns)), tmp_path / "t.parquet", columns)
    assert pq.read_schema(tmp_path / "t.parquet").equals(arrow_schema(columns))


def test_named_columns_come_first_and_further_ones_are_kept(tmp_path):
    frame = pd.DataFrame([{"make": "Saab", **ROW, "doors": 4}])
    write_table(frame, tmp_path / "t.parquet", LABELS)
    table = read_table(tmp_path / "t.parquet")
    assert list(table.columns) == [*LABELS, "make", "doors"]
    assert table.loc[0, "make"] == "Saab"


def test_missing_values_stay_missing_in_typed_columns(tmp_path):
    vote = {"photo_id": "a", "skill": "s", "annotator": "x", "label": "good", "answered_at": None}
    write_table(pd.DataFrame([vote, {**vote, "answered_at": datetime(2024, 5, 1)}]), tmp_path / "t.parquet", VOTES)
    answered = read_table(tmp_path / "t.parquet")["answered_at"]
    assert pd.isna(answered[0])
    assert answered[1] == datetime(2024, 5, 1)


def test_a_column_without_any_value_may_have_any_type(tmp_path):
    frame = pd.DataFrame([{**dict.fromkeys(CATALOGUE), "photo_id": "a"}]).assign(taken_at=float("nan"), width_px=None)
    write_table(frame, tmp_path / "t.parquet", CATALOGUE)
    assert read_table(tmp_path / "t.parquet").drop(columns="photo_id").isna().all(axis=None)


def test_the_same_table_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_table(pd.DataFrame([ROW]), tmp_path / name, LABELS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(DataError, match="missing: votes, agreement"):
        write_table(pd.DataFrame([ROW]).drop(columns=["votes", "agreement"]), tmp_path / "t.parquet", LABELS)


def test_a_value_of_another_type_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"t\.parquet holds a value of the wrong type"):
        write_table(pd.DataFrame([{**ROW, "votes": "many"}]), tmp_path / "t.parquet", LABELS)


def test_a_renamed_skill_takes_its_rows_along_unless_it_has_its_own():
    frame = pd.DataFrame({"skill": ["content", "content", "quality"], "label": ["a", "b", "c"]})
    renamed = {"content": "kind", "gone": "quality"}
    assert list(with_present_names(frame, renamed)["skill"]) == ["kind", "kind", "quality"]
    both = pd.DataFrame({"skill": ["content", "kind"], "label": ["a", "b"]})
    assert with_present_names(both, renamed).to_dict("list") == {"skill": ["kind"], "label": ["b"]}
