"""Ingestion from a folder, and the files that it sets aside."""

import os
import shutil
from datetime import datetime

import numpy as np
import pytest
from PIL import Image

from coachworks.digests import digest_file
from coachworks.errors import DataError, InvalidConfigError, NotFoundError
from coachworks.photos import MAX_BYTES


def aside(read):
    return {(entry["file"], entry["reason"]) for entry in read.rejected}


def test_sub_folders_are_labels_of_the_only_skill(draw, taken_in):
    draw("photos/cat/a.jpg", 1)
    draw("photos/dog/deep/er/b.png", 2)
    draw("photos/c.jpg", 3)
    read = taken_in()
    assert read.labelled == {("cat/a.jpg", "animal"): "cat", ("dog/deep/er/b.png", "animal"): "dog"}
    assert read.report.skills == {"animal": {"cat": 1, "dog": 1}}
    assert (read.report.photos, read.report.unlabelled, read.report.sets) == (3, 1, 3)


def test_sub_folders_answer_the_skill_that_the_source_names(draw, taken_in):
    draw("photos/cat/a.jpg")
    skills = {"quality": ["good", "bad"], "animal": ["cat", "dog"]}
    read = taken_in({"photos": "photos", "skill": "animal"}, skills=skills)
    assert read.report.skills == {"quality": {}, "animal": {"cat": 1}}


def test_the_catalogue_describes_each_photo(draw, taken_in, store):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 12:30:00"
    path = draw("photos/cat/a.jpg", size=(640, 480), exif=exif)
    read = taken_in({"photos": "photos", "source": "own", "permission": "CC-BY-4.0"})
    row = read.catalogue.iloc[0]
    assert row.photo_id == digest_file(path)
    assert store.read(row.uri) == path.read_bytes()
    assert (row.filename, row.source, row.permission) == ("cat/a.jpg", "own", "CC-BY-4.0")
    assert (row.width_px, row.height_px, row.format) == (480, 640, "JPEG")
    assert row.taken_at == datetime(2024, 5, 1, 12, 30)
    assert 0 <= row.brightness <= 1
    assert 0 <= row.contrast <= 0.5
    assert len(row.perceptual_hash) == 16


def test_the_date_of_the_file_is_never_the_date_of_the_photo(draw, taken_in):
    os.utime(draw("photos/a.jpg"), (1, 1))
    assert taken_in().catalogue.taken_at.isna().all()


def test_unusable_photos_are_set_aside_with_the_reason_and_the_run_continues(draw, taken_in, tmp_path):
    good = draw("photos/cat/good.jpg", 1, size=(200, 200))
    photos = tmp_path / "photos"
    (photos / "truncated.jpg").write_bytes(good.read_bytes()[:2000])
    (photos / "empty.jpg").touch()
    (photos / "text.jpg").write_text("no photo")
    (photos / "film.mp4").write_bytes(b"\0\0\0\x18ftypisom" + b"\0" * 100)
    (photos / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 100)
    with (photos / "large.jpg").open("wb") as file:
        file.write(good.read_bytes())
        file.truncate(MAX_BYTES + 1)
    Image.new("1", (20_000, 20_000)).save(photos / "bomb.png")
    shutil.copy(good, photos / "cat" / "good copy.jpg")
    (photos / "folder.jpg").mkdir()
    read = taken_in()
    assert list(read.catalogue.filename) == ["cat/good copy.jpg"]
    assert aside(read) == {
        ("truncated.jpg", "truncated"),
        ("empty.jpg", "empty"),
        ("text.jpg", "not-a-photo"),
        ("film.mp4", "not-a-photo"),
        ("phone.heic", "unsupported-format"),
        ("large.jpg", "too-large"),
        ("bomb.png", "too-many-pixels"),
        ("cat/good.jpg", "duplicate"),
    }
    assert all(entry["message"] and entry["source"] == "photos" for entry in read.rejected)
    assert read.report.duplicates == 1
    assert read.report.rejected == {
        "empty": 1,
        "not-a-photo": 2,
        "too-large": 1,
        "too-many-pixels": 1,
        "truncated": 1,
        "unsupported-format": 1,
    }


def test_random_bytes_after_any_start_of_a_photo_never_stop_the_run(draw, taken_in, tmp_path):
    rng = np.random.default_rng(0)
    for file_format in ("jpg", "png", "webp", "gif", "tif", "bmp"):
        whole = draw(f"photos/good.{file_format}", 1).read_bytes()
        for i in range(8):
            cut = int(rng.integers(len(whole)))
            (tmp_path / f"photos/bad{i}.{file_format}").write_bytes(whole[:cut] + rng.bytes(len(whole) - cut))
    report = taken_in().report
    assert report.photos + sum(report.rejected.values()) + report.duplicates == 6 * 9


def test_hidden_files_litter_and_documents_are_passed_over(draw, taken_in, tmp_path):
    draw("photos/cat/a.jpg")
    draw("photos/.thumbnails/cat/a.jpg", 1)
    draw("photos/__MACOSX/._a.jpg", 2, format="JPEG")
    for name in (".DS_Store", "cat/Thumbs.db", "desktop.ini"):
        (tmp_path / "photos" / name).write_text("litter")
    for name in ("LICENSE", "README.md", "labels.csv", "notes.txt", "dump.json"):
        (tmp_path / "photos" / name).write_text("document")
    read = taken_in()
    assert list(read.catalogue.filename) == ["cat/a.jpg"]
    assert read.rejected == []
    assert read.report.ignored == 5


def test_the_store_is_not_taken_in_when_it_lies_among_the_photos(draw, taken_in):
    draw("a.jpg", 1)
    for _ in range(2):
        assert list(taken_in({"photos": "."}).catalogue.filename) == ["a.jpg"]


def test_folders_may_be_nested_deeper_than_python_s_stack(draw, taken_in, tmp_path):
    draw("photos/cat/a.jpg")
    deep = os.open(tmp_path / "photos", os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=deep)
        inner = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    os.close(deep)
    assert taken_in().report.photos == 1
    outer, inner, spare = (tmp_path / name for name in ("photos/d", "photos/d/d", "photos/spare"))
    while inner.exists():  # pytest would clear it away recursively, and fail
        inner.rename(spare)
        outer.rmdir()
        spare.rename(outer)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_and_folders_that_may_not_be_read_are_set_aside(draw, taken_in):
    draw("photos/a.jpg")
    draw("photos/secret.jpg", 1).chmod(0)
    locked = draw("photos/locked/b.jpg", 2).parent
    locked.chmod(0)
    try:
        assert aside(taken_in()) == {("secret.jpg", "unreadable"), ("locked/", "unreadable")}
    finally:
        locked.chmod(0o700)


@pytest.mark.parametrize("name", ["with space.jpg", "new\nline.jpg", "Škoda-车.jpg", "quote\"'.jpg", "-rf.jpg"])
def test_any_file_name_is_kept(name, draw, taken_in):
    draw(f"photos/cat/{name}")
    assert list(taken_in().catalogue.filename) == [f"cat/{name}"]


def test_names_that_are_not_utf8_are_written_with_escapes(draw, taken_in, tmp_path):
    for name in (b"photos/caf\xe9.jpg", b"photos/caf\xe8.jpg"):
        draw("photos/a.jpg").rename(tmp_path / os.fsdecode(name))
    (tmp_path / os.fsdecode(b"photos/bad\xff.jpg")).touch()
    for _ in range(2):
        read = taken_in()
        assert list(read.catalogue.filename) == ["caf\\xe8.jpg"]
        assert aside(read) == {("caf\\xe9.jpg", "duplicate"), ("bad\\xff.jpg", "empty")}


def test_a_source_is_called_as_its_folder_is_written(draw, taken_in, tmp_path):
    draw("archive/a.jpg")
    (tmp_path / "photos").symlink_to("archive")
    assert taken_in({"photos": "./archive/../photos/."}).report.sources == {"photos": 1}


def test_equal_names_of_two_sources_get_the_name_of_the_source(draw, taken_in):
    for i, folder in enumerate(("one", "two", "more/two")):
        draw(f"{folder}/a.jpg", i)
    read = taken_in({"photos": "one"}, {"photos": "two"}, {"photos": "more/two"})
    assert list(read.catalogue.filename) == ["a.jpg", "two/a.jpg", "two-2/a.jpg"]
    assert read.report.sources == {"one": 1, "two": 2}


def test_one_photo_in_two_sources_is_a_duplicate_but_one_file_in_two_sources_is_not(draw, taken_in):
    draw("one/cat/a.jpg", 1)
    draw("two/cat/b.jpg", 1)
    read = taken_in({"photos": "one"}, {"photos": "two"}, {"photos": "two/cat"})
    assert [(entry["file"], entry["same_as"]) for entry in read.rejected] == [
        ("cat/b.jpg", "cat/a.jpg"),
        ("b.jpg", "cat/a.jpg"),
    ]
    assert taken_in({"photos": "one"}, {"photos": "one/cat"}).rejected == []


def test_byte_equal_files_with_different_labels_have_no_label_and_two_votes(draw, taken_in):
    draw("photos/cat/a.jpg", 1)
    draw("photos/dog/a.jpg", 1)
    read = taken_in()
    assert read.labelled == {("cat/a.jpg", "animal"): None}
    assert read.labels.agreement.tolist() == [0.5]
    assert read.labels.votes.tolist() == [2]
    assert read.labels.confidence.isna().all()
    assert set(zip(read.votes.annotator, read.votes.label, strict=True)) == {
        ("photos:cat/a.jpg", "cat"),
        ("photos:dog/a.jpg", "dog"),
    }


def test_the_majority_of_byte_equal_files_is_the_label(draw, taken_in):
    for name in ("cat/a", "cat/b", "dog/c"):
        draw(f"photos/{name}.jpg", 1)
    read = taken_in()
    assert read.labelled == {("cat/a.jpg", "animal"): "cat"}
    assert read.labels.confidence.tolist() == pytest.approx([2 / 3])


def test_unsure_is_a_vote_and_never_a_label(draw, taken_in):
    draw("photos/unsure/a.jpg", 1)
    draw("photos/cat/b.jpg", 2)
    read = taken_in(unsure="unsure")
    assert read.labelled == {("unsure/a.jpg", "animal"): None, ("cat/b.jpg", "animal"): "cat"}
    assert sorted(read.votes.label) == ["cat", "unsure"]
    assert read.report.unlabelled == 1


def test_labels_beyond_the_vocabulary_are_kept_for_validation_to_report(draw, taken_in):
    draw("photos/horse/a.jpg")
    assert taken_in().report.skills == {"animal": {"horse": 1}}


def test_a_folder_that_is_missing_is_named(taken_in):
    with pytest.raises(NotFoundError, match=r"photos .*nowhere' does not exist"):
        taken_in({"photos": "nowhere"})


def test_a_file_in_place_of_the_folder_is_refused(draw, taken_in):
    draw("a.jpg")
    with pytest.raises(InvalidConfigError, match="photos must be a folder"):
        taken_in({"photos": "a.jpg"})


def test_no_usable_photo_at_all_is_an_error_with_the_reasons(taken_in, tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match=r"at least one usable photo in .*photos; got none"):
        taken_in()
    (tmp_path / "photos/a.jpg").touch()
    with pytest.raises(DataError, match=r"1 files or rows were set aside, the first because: a.jpg: the file is empty"):
        taken_in()
