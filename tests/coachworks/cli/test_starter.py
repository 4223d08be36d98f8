"""From a folder of photos to a fleet file that is valid as it stands."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from coachworks.cli.starter import Surroundings, scalar, starter
from coachworks.errors import DataError, NotFoundError
from coachworks.fleet.reader import examine
from components.ingest.survey import survey


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve photos in two folders, `cat` (8) and `dog` (4)."""
    folder = tmp_path / "pets"
    for index in range(12):
        path = folder / ("cat" if index < 8 else "dog") / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (index, 0, 0)).save(path)
    return folder


def names(photos: Path) -> list[str]:
    return sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))


def write_table(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_folder_per_label_becomes_one_skill(photos):
    found = survey(photos)
    assert found.table is None
    assert found.count == 12
    assert [(skill.name, skill.labels) for skill in found.skills] == [("pets", {"cat": 8, "dog": 4})]


@pytest.mark.parametrize("column", ["filename", "path", "file", "Path"])
@pytest.mark.parametrize("place", ["pets/labels.csv", "pets.csv", "pets/anything.csv"])
def test_a_table_in_or_beside_the_folder_names_the_skills(photos, tmp_path, column, place):
    rows = [
        {column: name, "mood": "calm" if i % 2 else "wild", "age": str(i % 2)} for i, name in enumerate(names(photos))
    ]
    write_table(tmp_path / place, rows)
    found = survey(photos)
    assert found.table is not None
    assert [(skill.name, skill.labels) for skill in found.skills] == [("mood", {"calm": 6, "wild": 6})]
    assert found.left_out == {"age": "numbers, not labels"}


def test_a_parquet_table_is_read_too(photos, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = {"filename": names(photos), "mood": ["calm", None, "wild"] * 4}
    pq.write_table(pa.table(table), tmp_path / "pets.parquet")
    found = survey(photos)
    assert found.skills[0].labels == {"calm": 4, "wild": 4}
    assert found.labelled == 8


def test_names_relative_to_the_folder_of_the_table_are_understood(photos, tmp_path):
    write_table(tmp_path / "pets.csv", [{"filename": f"pets/{n}", "kind": n[:3]} for n in names(photos)])
    assert survey(photos).missing == []


def test_what_is_known_or_too_varied_is_no_skill(photos):
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
    found = survey(photos)
    assert [skill.name for skill in found.skills] == ["kind"]
    assert found.left_out == {
        "title": "12 different values in 12 rows, too many to be labels",
        "country": "fewer than two different values",
    }


def test_a_column_that_cannot_name_a_skill_says_how_to_rename_it(photos):
    write_table(photos / "labels.csv", [{"filename": n, "a_b": n[:3], "kind": n[:3]} for n in names(photos)])
    assert "rename it to lower-case letters, digits and hyphens" in survey(photos).left_out["a_b"]


def test_unsure_is_an_answer_and_no_label(photos):
    moods = ["calm", "wild", "unsure"] * 4
    rows = [{"filename": n, "mood": mood} for n, mood in zip(names(photos), moods, strict=True)]
    write_table(photos / "labels.csv", rows)
    (skill,) = survey(photos).skills
    assert skill.unsure == "unsure"
    assert list(skill.labels) == ["calm", "wild"]


def test_files_that_a_table_names_in_vain_are_told(photos):
    rows = [{"filename": n, "kind": n[:3]} for n in [*names(photos), "cat/gone.jpg"]]
    write_table(photos / "labels.csv", rows)
    found = survey(photos)
    assert found.missing == ["cat/gone.jpg"]
    assert "# The table names 1 files that are not there; first: 'cat/gone.jpg'" in starter(found, photos.parent)


def test_a_table_that_names_no_photo_at_all_is_refused(photos):
    write_table(photos / "labels.csv", [{"filename": f"x{i}.jpg", "kind": "ab"[i % 2]} for i in range(12)])
    with pytest.raises(DataError, match=r"names no photo .*its first is 'x0.jpg'. Write the names in `filename`"):
        survey(photos)


def test_a_table_without_a_filename_column_is_refused_when_it_is_named(photos):
    table = write_table(photos / "labels.csv", [{"kind": "cat"}])
    with pytest.raises(DataError, match="must have a column `filename`"):
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
    write_table(photos / "labels.csv", rows * 5)
    with pytest.raises(DataError, match=r"got 'Cat' \(10 photos\) and 'cat' \(35 photos\) for 'kind'. Make them one"):
        survey(photos)


def test_a_folder_that_is_not_there_and_one_without_photos_are_refused(tmp_path):
    with pytest.raises(NotFoundError, match="there is no such folder"):
        survey(tmp_path / "none")
    with pytest.raises(NotFoundError, match="there is no photo in"):
        survey(tmp_path)


def test_photos_that_nothing_labels_are_refused_with_the_two_ways_out(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "one.jpg")
    with pytest.raises(DataError, match=r"Put them into one folder per label, or add a table `labels.csv`"):
        survey(tmp_path)


def test_the_starter_is_valid_says_the_counts_and_explains_the_gates(photos):
    text = starter(survey(photos), photos.parent)
    fleet, problems = examine(text)
    assert problems == []
    assert fleet is not None
    assert fleet.name == "pets"
    assert fleet.spec.sources[0].photos == "./pets"
    assert fleet.gates("pets").min_balanced_accuracy == 0.8
    assert "- cat  # 8 photos" in text
    assert "# minPhotosPerLabel: 1000" in text


def test_a_folder_elsewhere_is_named_by_its_whole_path(photos, tmp_path):
    fleet, _ = examine(starter(survey(photos), tmp_path / "elsewhere"))
    assert fleet is not None
    assert fleet.spec.sources[0].photos == str(photos)


@given(text=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1).filter(str.strip))
def test_any_label_is_written_so_that_it_is_read_back(text):
    fleet, problems = examine(
        "apiVersion: coachworks.dev/v1\nkind: Fleet\nmetadata: {name: x}\nspec:\n  sources: [{photos: .}]\n"
        f"  skills:\n    a:\n      labels:\n        - {scalar(text.strip())}  # 3 photos\n        - ⸻other⸻\n"
    )
    assert problems == []
    assert fleet is not None
    assert fleet.skill("a").labels[0] == text.strip()


@pytest.mark.data
@pytest.mark.parametrize(("folder", "skills"), [("trashnet", {"material": 6}), ("grocery", {"fine": 81, "coarse": 43})])
def test_real_photos_make_a_valid_fleet(data_folder, tmp_path, folder, skills):
    fleet, problems = examine(starter(survey(data_folder / folder), tmp_path))
    assert problems == []
    assert fleet is not None
    assert {name: len(skill.labels) for name, skill in fleet.spec.skills.items()} == skills


def test_a_fleet_for_a_cluster_names_its_bucket_its_server_and_what_tells_pods(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for label in ("cat", "dog"):
        (photos / label).mkdir(parents=True)
        Image.new("RGB", (64, 64)).save(photos / label / "1.jpg")
    surroundings = Surroundings(
        name="pets", store="s3://bucket/pets", tracking="https://mlflow.example", environment=("pets", "mlflow")
    )
    fleet, problems = examine(starter(survey(photos), tmp_path, surroundings))
    assert problems == []
    assert fleet is not None
    assert (fleet.name, fleet.spec.store, fleet.spec.tracking) == ("pets", "s3://bucket/pets", "https://mlflow.example")
    assert [source.secret for source in fleet.spec.cluster.environment] == ["pets", "mlflow"]
