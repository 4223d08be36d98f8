"""From a folder of photos, and a table as people write it, to suggested skills."""

from pathlib import Path

import pytest
from pets import draw_pets, names, write_table
from PIL import Image
from small_fleets import small_fleet

from coachworks.errors import DataError, NotFoundError
from components.ingest.source_files import read_source
from components.ingest.survey import survey


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve photos in two folders, `cat` (8) and `dog` (4)."""
    return draw_pets(tmp_path / "pets")


def test_a_folder_per_label_becomes_one_skill(photos):
    result = survey(photos)
    assert result.table is None
    assert result.count == 12
    assert [(skill.name, skill.labels) for skill in result.skills] == [("pets", {"cat": 8, "dog": 4})]


@pytest.mark.parametrize("column", ["filename", "path", "file", "Path"])
@pytest.mark.parametrize("place", ["pets/labels.csv", "pets.csv", "pets/anything.csv"])
def test_a_table_in_or_beside_the_folder_names_the_skills(photos, tmp_path, column, place):
    rows = [
        {column: name, "mood": "calm" if i % 2 else "wild", "age": str(i % 2)} for i, name in enumerate(names(photos))
    ]
    write_table(tmp_path / place, rows)
    result = survey(photos)
    assert result.table is not None
    assert [(skill.name, skill.labels) for skill in result.skills] == [("mood", {"calm": 6, "wild": 6})]
    assert result.left_out == {"age": "numbers, not labels"}


def test_a_parquet_table_is_read_too(photos, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = {"filename": names(photos), "mood": ["calm", None, "wild"] * 4}
    pq.write_table(pa.table(table), tmp_path / "pets.parquet")
    result = survey(photos)
    assert result.skills[0].labels == {"calm": 4, "wild": 4}
    assert result.labelled == 8


def test_names_relative_to_the_folder_of_the_table_are_understood(photos, tmp_path):
    write_table(tmp_path / "pets.csv", [{"filename": f"pets/{n}", "kind": n[:3]} for n in names(photos)])
    assert survey(photos).missing == []


def test_describing_and_varied_columns_are_no_skills(photos):
    rows = [
        {
            "filename": name,
            "set_id": name,
            "source": "own",
            "permission": "own",
            "taken_at": "2024-01-01",
            "split": "train",
        }
        | {"kind": name[:3], "title": name, "country": "all"}
        for name in names(photos)
    ]
    write_table(photos / "labels.csv", rows)
    result = survey(photos)
    assert [skill.name for skill in result.skills] == ["kind"]
    assert result.left_out == {
        "title": "12 different values in 12 rows, too many to be labels",
        "country": "fewer than two different values",
    }


def test_a_column_that_cannot_name_a_skill_says_how_to_rename_it(photos):
    write_table(
        photos / "labels.csv", [{"filename": n, "split!": n[:3], "größe": n[:3], "kind": n[:3]} for n in names(photos)]
    )
    left_out = survey(photos).left_out
    assert list(left_out) == ["split!", "größe"]
    assert "rename it to lower-case letters, digits and hyphens" in left_out["größe"]


def test_unsure_is_an_answer_and_no_label(photos):
    moods = ["calm", "wild", "unsure"] * 4
    rows = [{"filename": n, "mood": mood} for n, mood in zip(names(photos), moods, strict=True)]
    write_table(photos / "labels.csv", rows)
    (skill,) = survey(photos).skills
    assert skill.unsure == "unsure"
    assert list(skill.labels) == ["calm", "wild"]


def test_a_table_that_names_no_photo_at_all_is_refused(photos):
    write_table(photos / "labels.csv", [{"filename": f"x{i}.jpg", "kind": "ab"[i % 2]} for i in range(12)])
    with pytest.raises(DataError, match=r"names no photo .*its first is 'x0.jpg'. Write the names in `filename`"):
        survey(photos)


def test_a_table_without_a_filename_column_is_refused_when_it_is_named(photos):
    table = write_table(photos / "labels.csv", [{"kind": "cat"}])
    with pytest.raises(DataError, match=r"must have a column filename or path or file; its columns are kind"):
        survey(photos, table=table)


def test_two_tables_that_would_do_are_a_question(photos):
    rows = [{"filename": n, "kind": n[:3]} for n in names(photos)]
    write_table(photos / "one.csv", rows)
    table = write_table(photos / "two.csv", rows)
    with pytest.raises(DataError, match=r"several tables name these photos: .*one.csv, .*two.csv. Choose one"):
        survey(photos)
    assert survey(photos, table=table).table == table


def test_labels_that_differ_only_in_case_are_refused(photos):
    rows = [{"filename": n, "kind": "Cat" if n.endswith("0.jpg") else n[:3]} for n in names(photos)]
    write_table(photos / "labels.csv", rows)
    with pytest.raises(DataError, match=r"got 'Cat' \(2 photos\) and 'cat' \(7 photos\) for 'kind'. Make them one"):
        survey(photos)


def test_a_folder_that_is_not_there_and_one_without_photos_are_refused(tmp_path):
    with pytest.raises(NotFoundError, match="there is no such folder"):
        survey(tmp_path / "none")
    with pytest.raises(NotFoundError, match="there is no photo in"):
        survey(tmp_path)


def test_a_table_in_the_folder_that_cannot_be_used_is_named_where_nothing_labels_the_photos(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "one.jpg")
    write_table(tmp_path / "labels.csv", [{"photo": "one.jpg", "kind": "cat"}])
    with pytest.raises(DataError, match=r"labels.csv must have a column filename .*; its columns are photo"):
        survey(tmp_path)


def test_photos_that_nothing_labels_are_refused_with_the_two_ways_out(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "one.jpg")
    with pytest.raises(DataError, match=r"Put them into one folder per label, or add a table `labels.csv`"):
        survey(tmp_path)


def lines(photos: Path, kind=lambda name: name[:3], delimiter: str = ",", header: str = "filename{}kind") -> str:
    rows = [header.format(delimiter), *(f"{name}{delimiter}{kind(name)}" for name in names(photos))]
    return "\n".join(rows) + "\n"


TABLES = {
    "UTF-8 with a byte-order mark": ("labels.csv", lambda photos: lines(photos).encode("utf-8-sig")),
    "UTF-16": ("labels.csv", lambda photos: lines(photos).encode("utf-16")),
    "UTF-16 of the other byte order": ("labels.csv", lambda photos: b"\xfe\xff" + lines(photos).encode("utf-16-be")),
    "semicolons": ("labels.csv", lambda photos: lines(photos, delimiter=";").encode()),
    "tabs": ("labels.tsv", lambda photos: lines(photos, delimiter="\t").encode()),
    "more commas than semicolons in the header": (
        "labels.csv",
        lambda photos: lines(photos, delimiter=";", header="filename{}kind;a,b,c,d").encode(),
    ),
    "an empty line first": ("labels.csv", lambda photos: f"\n{lines(photos)}".encode()),
    "a column with underscore": ("labels.csv", lambda photos: lines(photos, header="File{}Kind_Of").encode()),
    "a row with too many cells": ("labels.csv", lambda photos: f"{lines(photos)}cat/0.jpg,cow,x\n".encode()),
    "a file listed twice": ("labels.csv", lambda photos: f"{lines(photos)}cat/0.jpg,cat\n./cat/0.jpg,cat\n".encode()),
    "backslashes": ("labels.csv", lambda photos: lines(photos).replace("/", "\\").encode()),
    "whole paths": ("labels.csv", lambda photos: lines(photos).replace("\n", f"\n{photos}/", 12).encode()),
    "paths that climb": ("labels.csv", lambda photos: lines(photos).replace("\n", "\n./x/../", 12).encode()),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_table_is_read_as_ingest_reads_it(photos, case):
    name, write = TABLES[case]
    table = photos / name
    table.write_bytes(write(photos))
    result = survey(photos)
    (skill,) = result.skills
    assert (result.table, skill.labels) == (table, {"cat": 8, "dog": 4})
    assert counts_of_ingest(photos, table, skill.name) == skill.labels


def test_parquet_of_either_suffix_is_read_as_ingest_reads_it(photos):
    import pyarrow as pa
    import pyarrow.parquet as pq

    cells = {"filename": names(photos), "doors": [3.0, 5.0, None] * 4, "wheels": [float("nan"), 4.0, 4.0] * 4}
    pq.write_table(pa.table(cells | {"kind": ["b", "a", None] * 4}), photos / "labels.pq")
    (skill,) = survey(photos).skills
    assert skill.labels == {"a": 4, "b": 4} == counts_of_ingest(photos, photos / "labels.pq", skill.name)
    assert survey(photos).left_out == {"doors": "numbers, not labels", "wheels": "fewer than two different values"}


def counts_of_ingest(photos: Path, table: Path, skill: str) -> dict[str, int]:
    """Photos per label, as `ingest` reads them."""
    fleet = small_fleet({skill: {"labels": ["cat", "dog"]}}, sources=[{"photos": str(photos), "table": str(table)}])
    items = read_source(fleet.spec.sources[0], fleet, str(photos / "store")).items
    answers = sorted(item.row.answers[skill] for item in items if skill in item.row.answers)
    return {label: answers.count(label) for label in answers}


def test_a_table_that_contradicts_itself_is_refused_as_ingest_refuses_it(photos):
    (photos / "labels.csv").write_text(f"{lines(photos)}cat/0.jpg,dog\n")
    with pytest.raises(DataError, match=r"a file must be listed once, or with equal values; got 'cat/0.jpg' \(lines 2"):
        survey(photos)


def test_a_table_of_another_encoding_is_refused_when_it_is_named(photos):
    table = photos / "labels.csv"
    table.write_bytes(lines(photos).replace("dog\n", "ch\u00e2t\n").encode("latin-1"))
    with pytest.raises(DataError, match=r"must be UTF-8; line 10 holds the byte 0xe2. Save it as UTF-8"):
        survey(photos, table=table)


def test_two_columns_of_one_skill_are_refused_as_ingest_refuses_them(photos):
    (photos / "labels.csv").write_text(
        "filename,body type,body_type\n" + "".join(f"{name},{name[:3]},x\n" for name in names(photos))
    )
    with pytest.raises(DataError, match="must have one column for the skill 'body-type'; got 'body type' and"):
        survey(photos)


def test_photos_are_those_that_ingest_would_try(photos, tmp_path):
    (photos / "cat/.hidden").mkdir()
    jpeg = (photos / "cat/0.jpg").read_bytes()
    (photos / "cat/.hidden/x.jpg").write_bytes(jpeg)
    (photos / "cat/odd.jfif").write_bytes(jpeg)
    (photos / "cat/film.mp4").write_bytes(b"\0\0\0\x18ftypmp42" * 4)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/linked.jpg").write_bytes(jpeg)
    (photos / "dog/link").symlink_to(tmp_path / "elsewhere")
    assert survey(photos, follow_links=True).skills[0].labels == {"cat": 9, "dog": 5}


def test_links_out_of_the_folder_are_counted_and_followed_when_asked(photos, tmp_path):
    outside = tmp_path / "elsewhere"
    photos.rename(outside)
    photos.mkdir()
    for path in outside.iterdir():
        (photos / path.name).symlink_to(path)
    with pytest.raises(NotFoundError, match=r"links? out of it. Follow links with `coachworks init \S+ --follow"):
        survey(photos)
    result = survey(photos, follow_links=True)
    assert result.count == survey(outside).count
    assert (result.follow_links, result.links_out) == (True, 0)
