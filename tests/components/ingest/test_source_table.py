"""Tables as people write them."""

import unicodedata
from datetime import date, datetime
from itertools import cycle, product

import pandas as pd
import pytest

from coachworks.errors import DataError, NotFoundError
from components.ingest.step import ingest

SKILLS = {"animal": ["cat", "dog"], "quality": ["good", "bad"]}


@pytest.fixture(autouse=True)
def photos(draw):
    for i, name in enumerate("abc"):
        draw(f"photos/{name}.jpg", i)


def aside(read):
    return {(entry["file"], entry["reason"]) for entry in read.rejected}


def test_a_table_may_name_some_photos_and_some_skills(table, taken_in):
    read = taken_in(table("filename,animal,quality\na.jpg,cat,\nb.jpg,dog,good\n"), skills=SKILLS)
    assert read.labelled == {
        ("a.jpg", "animal"): "cat",
        ("b.jpg", "animal"): "dog",
        ("b.jpg", "quality"): "good",
    }
    assert read.report.unlabelled == 1


def test_all_columns_of_a_table_are_in_the_catalogue(table, taken_in):
    text = (
        "filename,set_id,source,permission,taken_at,split,animal,make,doors\n"
        "a.jpg,car-1,dealer,by mail,2024-05-01 12:30,val,cat,Saab,4\nb.jpg,,,,,,,,\n"
    )
    read = taken_in({**table(text), "source": "own", "permission": "mine"})
    first, second, third = read.catalogue.itertuples()
    assert (first.set_id, first.source, first.permission) == ("car-1", "dealer", "by mail")
    assert (first.taken_at, first.split, first.make, first.doors) == (
        datetime(2024, 5, 1, 12, 30),
        "validation",
        "Saab",
        "4",
    )
    assert (second.source, second.permission, third.source) == ("own", "mine", "own")
    assert pd.isna(second.split)
    assert pd.isna(second.make)
    assert second.set_id != third.set_id


FORMS = product(["\n", "\r\n"], ["utf-8", "utf-8-sig", "utf-16"], [",", ";", "\t"])


@pytest.mark.parametrize(  # each form of a file, with the names of the column in turn
    ("newline", "encoding", "delimiter", "column"),
    [(*form, column) for form, column in zip(FORMS, cycle(["filename", "path", "file", "Filename", " PATH "]))],
)
def test_tables_are_read_as_people_write_them(newline, encoding, delimiter, column, table, taken_in):
    rows = [[column, "animal", "note"], ["a.jpg", " cat ", f'"x{delimiter}\ny"'], ["b.jpg", "dog"], [], ["", "", ""]]
    text = newline.join(delimiter.join(row) for row in rows)
    read = taken_in(table(text.encode(encoding)))
    assert read.labelled == {("a.jpg", "animal"): "cat", ("b.jpg", "animal"): "dog"}
    assert read.rejected == []
    assert read.catalogue.note[0] == f"x{delimiter}\ny"


def test_a_table_of_one_column_is_a_table(table, taken_in):
    assert taken_in(table("filename\na.jpg\n")).rejected == []


def test_parquet_keeps_types_and_whole_numbers_stay_whole(table, taken_in, tmp_path):
    frame = pd.DataFrame(
        {
            "file": ["a.jpg", "b.jpg", "c.jpg"],
            "animal": ["cat", None, "dog"],
            "set_id": [1.0, None, 3.0],
            "taken_at": [datetime(2024, 5, 1, 12), None, datetime(2024, 5, 2)],
            "km": [100, 200, 300],
        }
    )
    frame.to_parquet(tmp_path / "photos.parquet")
    read = taken_in({"photos": "photos", "table": "photos.parquet"})
    assert read.labelled == {("a.jpg", "animal"): "cat", ("c.jpg", "animal"): "dog"}
    assert list(read.catalogue.set_id[[0, 2]]) == ["1", "3"]
    assert read.catalogue.taken_at[0] == datetime(2024, 5, 1, 12)
    assert read.catalogue.km.tolist() == [100, 200, 300]


def test_attributes_of_two_tables_with_different_types_become_text(draw, table, taken_in, tmp_path):
    draw("more/d.jpg", 9)
    pd.DataFrame({"file": ["d.jpg"], "km": [7], "since": [date(2024, 1, 1)]}).to_parquet(tmp_path / "more.parquet")
    read = taken_in(table("filename,km\na.jpg,many\n"), {"photos": "more", "table": "more.parquet"})
    assert read.catalogue.km.dropna().tolist() == ["many", "7"]


def test_a_table_among_the_photos_is_no_photo(table, taken_in):
    read = taken_in(table("filename,animal\na.jpg,cat\n", name="photos/labels.data"))
    assert read.rejected == []


def test_names_may_be_relative_to_the_table_and_written_with_backslashes(draw, table, taken_in, tmp_path):
    draw("photos/deep/d.jpg", 9)
    text = f"filename,animal\nphotos/a.jpg,cat\n.\\deep\\d.jpg,dog\n{tmp_path}/photos/b.jpg,dog\n"
    read = taken_in(table(text))
    assert read.rejected == []
    assert read.labelled == {
        ("a.jpg", "animal"): "cat",
        ("deep/d.jpg", "animal"): "dog",
        ("b.jpg", "animal"): "dog",
    }


def test_accents_may_be_written_in_both_ways_of_unicode(draw, table, taken_in):
    draw(f"photos/{unicodedata.normalize('NFD', 'Škoda')}.jpg", 9)
    read = taken_in(table(f"filename,animal\n{unicodedata.normalize('NFC', 'Škoda')}.jpg,cat\n"))
    assert list(read.labelled.values()) == ["cat"]


def test_rows_without_a_file_are_listed_and_the_run_goes_on(table, taken_in):
    read = taken_in(table("filename,animal\na.jpg,cat\ngone.jpg,dog\n../secret.jpg,dog\n/etc/passwd,dog\n"))
    assert aside(read) == {("gone.jpg", "missing"), ("../secret.jpg", "outside"), ("/etc/passwd", "outside")}
    assert read.report.rejected == {"missing": 1, "outside": 2}
    assert "line 3 of photos.csv" in read.rejected[0]["message"]


def test_rows_that_cannot_be_read_are_listed_and_the_run_goes_on(table, taken_in):
    read = taken_in(table("filename,animal\na.jpg,cat,too,many\n,dog\nb.jpg,dog,,\n"))
    assert aside(read) == {("photos.csv", "malformed-row")}
    assert read.report.rejected == {"malformed-row": 2}
    assert read.labelled == {("b.jpg", "animal"): "dog"}


def test_columns_are_skills_however_the_name_is_written(table, taken_in):
    skills = {"image-content": ["inside", "outside"]}
    for column in ("image-content", "Image Content", "image_content"):
        read = taken_in(table(f"filename,{column}\na.jpg,inside\n"), skills=skills)
        assert read.report.skills == {"image-content": {"inside": 1}}
    with pytest.raises(DataError, match="one column for the skill 'image-content'; got 'Image Content' and 'image_con"):
        taken_in(table("filename,Image Content,image_content\n"), skills=skills)


def test_labels_are_spelt_as_the_fleet_file_spells_them(table, taken_in):
    composed, decomposed = (unicodedata.normalize(form, "Škoda") for form in ("NFC", "NFD"))
    read = taken_in(table(f"filename,make\na.jpg,{decomposed}\nb.jpg,saab\n"), skills={"make": [composed, "Saab"]})
    assert read.labelled == {("a.jpg", "make"): composed, ("b.jpg", "make"): "saab"}


def test_a_photo_that_is_named_and_broken_is_set_aside_once(table, taken_in, tmp_path):
    (tmp_path / "photos/broken.jpg").write_text("x")
    (tmp_path / "photos/named.txt").write_text("x")
    (tmp_path / "photos/gone.jpg").symlink_to("nowhere")
    read = taken_in(table("filename\nbroken.jpg\nnamed.txt\ngone.jpg\n"))
    assert sorted((entry["file"], entry["reason"]) for entry in read.rejected) == [
        ("broken.jpg", "not-a-photo"),
        ("gone.jpg", "unreadable"),
        ("named.txt", "not-a-photo"),
    ]


def test_dates_that_cannot_be_read_are_left_empty_and_remarked(table, taken_in):
    read = taken_in(table("filename,taken_at\na.jpg,03/04/2024\nb.jpg,2024:05:01 12:30:00\n"))
    assert read.catalogue.taken_at.isna().tolist() == [True, False, True]
    assert read.report.remarks_count == 1
    assert "taken_at must be a date such as 2024-05-01 12:30; got '03/04/2024'" in read.report.remarks[0].message


def test_the_offset_from_utc_is_dropped_because_dates_are_the_camera_s(table, taken_in):
    read = taken_in(table("filename,taken_at\na.jpg,2024-05-01T12:30:00+02:00\n"))
    assert read.catalogue.taken_at[0] == datetime(2024, 5, 1, 12, 30)


def test_columns_that_ingest_computes_are_ignored_with_a_remark(table, taken_in):
    read = taken_in(table("filename,sharpness,photo_id\na.jpg,high,7\n"))
    assert [remark.message for remark in read.report.remarks] == [
        "the column 'sharpness' is ignored: ingest computes it",
        "the column 'photo_id' is ignored: ingest computes it",
    ]
    assert read.catalogue.sharpness.dtype == float


def test_a_file_may_be_listed_twice_where_the_rows_agree(table, taken_in):
    read = taken_in(table("filename,animal,quality\na.jpg,cat,\na.jpg,,good\n./a.jpg,cat,\n"), skills=SKILLS)
    assert read.labelled == {("a.jpg", "animal"): "cat", ("a.jpg", "quality"): "good"}
    assert len(read.votes) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("filename,animal\na.jpg,cat\na.jpg,dog\n", r"listed once, .* got 'a.jpg' \(lines 2 and 3\)"),
        ("filename,animal\na.jpg,cat\n./a.jpg,dog\n", r"listed once, .* got 'a.jpg' \(lines 2 and 3\)"),
        ("name,animal\na.jpg,cat\n", "must have a column filename or path or file; its columns are name, animal"),
        ("", "must have a column filename or path or file; its columns are none"),
        ("filename,animal,Animal\na.jpg,cat,dog\n", "must name each column once; got twice: animal"),
        ("filename,split\na.jpg,holdout\nb.jpg,x\n", r"split must .*; got 'holdout' \(line 2\), 'x' \(line 3\)"),
        ("filename,animal\na.jpg,caf\xe9\n".encode("latin-1"), "photos.csv must be UTF-8; line 2 holds the byte 0xe9"),
        ('filename,animal\na.jpg,"cat\n', "cannot be read as CSV"),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_used_are_refused_with_the_line(text, message, table, taken_in):
    with pytest.raises(DataError, match=message):
        taken_in(table(text))


def test_all_problems_of_a_table_are_reported_at_once_and_long_lists_are_cut(table, taken_in):
    rows = "".join(f"{i}.jpg,x,cat\n" for i in range(9))
    with pytest.raises(DataError, match=r"split must be .* and 4 more; a file must be listed once") as caught:
        taken_in(table(f"filename,split,animal\n{rows}a.jpg,,cat\na.jpg,,dog\n"))
    assert len(str(caught.value)) < 500


def test_a_table_that_is_missing_is_named(taken_in):
    with pytest.raises(NotFoundError, match=r"table .*gone.csv' does not exist. Correct `table`"):
        taken_in({"photos": "photos", "table": "gone.csv"})


def test_a_file_that_is_no_parquet_is_refused(table, taken_in):
    with pytest.raises(DataError, match=r"photos.parquet cannot be read as Parquet"):
        taken_in(table("filename\n", name="photos.parquet"))


def test_duplicates_in_different_sets_say_so_and_fill_each_other_s_gaps(draw, table, taken_in):
    draw("photos/copy of a.jpg", 0)
    read = taken_in(table("filename,set_id,split,make\na.jpg,s1,,Saab\ncopy of a.jpg,s2,test,\nb.jpg,s2,,\n"))
    (entry,) = read.rejected
    assert (entry["file"], entry["same_as"], entry["set_id"], entry["split"]) == (
        "copy of a.jpg",
        "a.jpg",
        "s2",
        "test",
    )
    first = read.catalogue.iloc[0]
    assert (first.set_id, first.split, first.make) == ("s1", "test", "Saab")


def renamed(fleet, name, was):
    """Return the fleet with a skill under a new name."""
    skills = {name: fleet.spec.skills[was].model_copy(update={"was": was})}
    return fleet.model_copy(update={"spec": fleet.spec.model_copy(update={"skills": skills})})


def test_the_column_of_a_renamed_skill_may_keep_its_name(table, make_fleet, tables):
    source = table("filename,Animal\na.jpg,cat\nb.jpg,dog\n")
    read = tables(ingest(renamed(make_fleet(source), "creature", "animal")))
    assert set(read.labels["skill"]) == {"creature"}
    assert sorted(read.labels["label"]) == ["cat", "dog"]
    assert "Animal" not in read.catalogue.columns


def test_a_renamed_skill_has_one_column(table, make_fleet):
    fleet = renamed(make_fleet(table("filename,animal,creature\na.jpg,cat,cat\n")), "creature", "animal")
    with pytest.raises(DataError, match=r"one column for the skill 'creature'; got 'animal' and 'creature'\. Remove"):
        ingest(fleet)
