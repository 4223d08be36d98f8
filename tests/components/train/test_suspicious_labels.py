"""Tables and pages of suspicious labels, and the way back of people's answers as votes."""

import base64
import csv
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_fleets import small_fleet

from coachworks.bootstrap import Interval
from coachworks.progress import SILENT
from coachworks.tables import read_table
from components.ingest.step import ingest
from components.train.label_noise import LabelNoise
from components.train.suspicious_labels import PAGE, PICTURES, TABLE, write_suspicious_labels

NAMES = [f"größe, {name}.png" for name in "abcdef"]


def noise_of(*listed, photos=6, labels=2):
    """Noise of the labels of a skill; `listed` holds rows with given and proposed label."""
    rows, labelled, proposed = (np.array(column, np.int64) for column in zip(*listed, strict=True))
    joint = np.full((labels, labels), 1.0) + 2 * np.eye(labels)
    return LabelNoise(
        photos=photos,
        level=Interval(0.25, 0.1, 0.5),
        joint=joint,
        rows=rows,
        labelled=labelled,
        proposed=proposed,
        probabilities=np.tile([0.02, 0.98], (len(rows), 1)),
    )


@pytest.fixture
def showroom(tmp_path):
    """A fleet of six photos, all labelled as cats, and its result of ingest."""
    (tmp_path / "photos").mkdir()
    for seed, name in enumerate(NAMES):
        pixels = np.random.default_rng(seed).integers(0, 256, (32, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / name)
    rows = pd.DataFrame({"filename": NAMES, "animal": "cat", "set_id": [f"set-{name[-5]}" for name in NAMES]})
    rows.to_csv(tmp_path / "photos.csv", index=False)

    def fleet(*further):
        sources = [{"photos": "photos", "table": "photos.csv"}, *further]
        skills = {"animal": {"labels": ["cat", "dog"], "question": "Which <animal>?", "unsure": "unsure"}}
        return small_fleet(skills, sources=sources).located(tmp_path)

    return SimpleNamespace(folder=tmp_path, fleet=fleet, ingest=ingest(fleet()))


def written(showroom, noise, folder=None):
    """Write table and page for the photos of the showroom; return the folder of the skill."""
    catalogue = read_table(showroom.ingest.path / "catalogue.parquet")
    photos = catalogue["photo_id"].tolist()
    labels = catalogue.assign(skill="animal", split=["train"] * 4 + ["validation"] * 2)
    folder = (folder or showroom.folder / "result") / "animal"
    folder.mkdir(parents=True)
    lane = SimpleNamespace(train=photos[:4], validation=photos[4:])
    write_suspicious_labels(showroom.fleet(), showroom.ingest, labels, lane, {"animal": noise}, SILENT, folder.parent)
    return folder


def labels_of(fleet):
    result = ingest(fleet)
    names = read_table(result.path / "catalogue.parquet").set_index("photo_id")["filename"]
    labels = read_table(result.path / "labels.parquet")
    label_of = dict(zip(names.loc[labels["photo_id"]], labels["label"], strict=True))
    return {name: None if pd.isna(label) else label for name, label in label_of.items()}, result


def answered(showroom, table, annotator, answers):
    """Fill the answers of a person into the table of suspicious labels; return the source for the fleet file."""
    rows = list(csv.DictReader(table.open(encoding="utf-8-sig")))
    for row in rows:
        row["animal"] = answers.get(row["filename"], "")
    with (showroom.folder / f"{annotator}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=";")  # as a spreadsheet may save it
        writer.writeheader()
        writer.writerows(rows)
    return {"photos": "photos", "table": f"{annotator}.csv", "source": annotator}


def test_the_table_has_a_row_per_suspicious_label_with_an_empty_cell_for_the_answer(showroom):
    table = written(showroom, noise_of((4, 0, 1), (1, 0, 1))) / TABLE
    rows = list(csv.DictReader(table.open(encoding="utf-8-sig")))
    catalogue = read_table(showroom.ingest.path / "catalogue.parquet")
    assert rows == [
        {
            "filename": catalogue["filename"][row],
            "animal": "",
            "suspicion_rank": str(rank),
            "given_label": "cat",
            "given_probability": "0.0200",
            "proposed_label": "dog",
            "proposed_probability": "0.9800",
            "photo_set": catalogue["set_id"][row],
            "photo_split": "validation" if row > 3 else "train",
            "photo_id": catalogue["photo_id"][row],
        }
        for rank, row in enumerate((4, 1), 1)
    ]


def test_answers_to_the_table_are_votes_that_change_labels(showroom):
    before, _ = labels_of(showroom.fleet())
    assert set(before.values()) == {"cat"}
    table = written(showroom, noise_of(*((row, 0, 1) for row in range(4)))) / TABLE
    listed = [row["filename"] for row in csv.DictReader(table.open(encoding="utf-8-sig"))]
    wrong, right, left_empty, unclear = listed
    anna = answered(showroom, table, "anna", {wrong: "dog", right: "cat", unclear: "dog"})
    once, _ = labels_of(showroom.fleet(anna))
    assert once == {**before, wrong: None, unclear: None}  # two people contradict each other
    ben = answered(showroom, table, "ben", {wrong: "dog", unclear: "unsure"})
    twice, result = labels_of(showroom.fleet(anna, ben))
    assert twice == {**before, wrong: "dog", unclear: None}
    assert twice[left_empty] == "cat"
    votes = read_table(result.path / "votes.parquet")
    assert len(votes) == 6 + 3 + 2
    catalogue = read_table(result.path / "catalogue.parquet")
    assert list(catalogue.columns) == list(read_table(showroom.ingest.path / "catalogue.parquet").columns)
    assert set(catalogue["source"]) == {"photos"}
    assert catalogue["split"].isna().all()  # the table prescribes none


def test_answers_about_another_photo_of_the_same_name_are_left_out(showroom):
    table = written(showroom, noise_of((1, 0, 1), (2, 0, 1))) / TABLE
    first, second = (row["filename"] for row in csv.DictReader(table.open(encoding="utf-8-sig")))
    pixels = np.zeros((32, 48, 3), np.uint8)
    Image.fromarray(pixels).save(showroom.folder / "photos" / first)  # replaced since
    people = [answered(showroom, table, name, {first: "dog", second: "dog"}) for name in ("anna", "ben")]
    labels, result = labels_of(showroom.fleet(*people))
    assert (labels[first], labels[second]) == ("cat", "dog")
    messages = [remark.message for remark in result.report.remarks]
    assert len(messages) == 2
    pattern = r"line 2 answers about another photo, photo_id [0-9a-f]{64}: the answers are left out"
    assert all(re.fullmatch(pattern, message) for message in messages)


def test_the_page_shows_photo_given_and_proposed_label_and_holds_the_table(showroom):
    folder = written(showroom, noise_of((4, 0, 1), (1, 0, 1)))
    page = (folder / PAGE).read_text("utf-8")
    assert page.count("data:image/jpeg;base64,") == 2
    assert "Which &lt;animal&gt;?" in page
    for text in ("<b>cat</b>", "<b>dog</b>", "98.0 %", "25.0 %", "10.0 % to 50.0 %", "of 6 photos"):
        assert text in page
    assert not re.search(r'(src|href)="(?!data:)', page)  # it needs no other file
    (table,) = re.findall(r'href="data:text/csv;base64,([^"]+)"', page)
    assert base64.b64decode(table) == (folder / TABLE).read_bytes()


def test_a_page_of_many_suspicious_labels_shows_the_first_and_counts_all(showroom):
    listed = [(row % 6, 0, 1) for row in range(PICTURES + 20)]
    folder = written(showroom, noise_of(*listed))
    page = (folder / PAGE).read_text("utf-8")
    assert page.count("<figure>") == PICTURES
    assert f"{PICTURES} of {PICTURES + 20}; the table has all" in page
    assert len((folder / TABLE).read_text("utf-8").splitlines()) == PICTURES + 21


def test_a_missing_photo_has_no_picture_on_the_page(showroom):
    for path in (showroom.folder / "store" / "photos").rglob("*.png"):
        path.unlink()
    page = (written(showroom, noise_of((4, 0, 1))) / PAGE).read_text("utf-8")
    assert "no picture" in page


def test_without_suspicious_labels_the_page_says_so(showroom):
    none = replace(noise_of((0, 0, 1)), **dict.fromkeys(("rows", "labelled", "proposed"), np.zeros(0, np.int64)))
    folder = written(showroom, replace(none, probabilities=np.zeros((0, 2))))
    assert "No label is suspicious." in (folder / PAGE).read_text("utf-8")
    assert len((folder / TABLE).read_text("utf-8").splitlines()) == 1
