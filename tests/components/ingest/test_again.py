"""Ingest again: nothing is done twice, nothing is lost, nothing is doubled."""

import os
from contextlib import contextmanager

import pandas as pd
import pytest

from coachworks.context import open_context
from coachworks.results import NotDoneError
from components.ingest.config import IngestConfig
from components.ingest.step import ingest


def stored(store):
    return set(store.list("photos"))


def test_the_same_photos_again_give_the_same_result_and_are_not_read(draw, make_fleet, store, tmp_path):
    paths = [draw(f"photos/cat/{i}.jpg", i) for i in range(5)]
    (tmp_path / "photos/broken.jpg").write_text("x")
    first = ingest(make_fleet())
    for path in paths:  # whoever reads them now finds no photo
        status = path.stat()
        path.write_bytes(b"x" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    index = set(store.list("index"))
    again = ingest(make_fleet())
    assert again.reused
    assert again.key == first.key
    assert set(store.list("index")) == index


def test_new_photos_are_added_and_the_old_keep_their_time(draw, taken_in):
    draw("photos/cat/a.jpg", 1)
    first = taken_in()
    draw("photos/cat/b.jpg", 2)
    second = taken_in()
    assert second.result.key != first.result.key
    assert (second.report.photos, second.report.new_photos) == (2, 1)
    assert second.catalogue.ingested_at[0] == first.catalogue.ingested_at[0]
    assert second.catalogue.ingested_at[1] > first.catalogue.ingested_at[0]


def test_a_photo_that_comes_back_is_the_one_from_before(draw, taken_in, tmp_path):
    draw("photos/cat/a.jpg", 1)
    draw("photos/cat/b.jpg", 2)
    first = taken_in()
    (tmp_path / "photos/cat/b.jpg").unlink()
    assert taken_in().report.photos == 1
    draw("photos/cat/b.jpg", 2)
    again = taken_in()
    assert again.result.key == first.result.key
    pd.testing.assert_frame_equal(again.catalogue, first.catalogue)


def test_a_photo_that_was_moved_or_touched_is_the_same_photo(draw, taken_in, tmp_path):
    path = draw("photos/cat/a.jpg", 1)
    first = taken_in()
    os.utime(path, (5, 5))
    assert taken_in().result.key == first.result.key
    (tmp_path / "photos").rename(tmp_path / "archive")
    moved = taken_in({"photos": "archive", "source": "photos"})
    pd.testing.assert_frame_equal(moved.catalogue, first.catalogue)


def test_a_photo_that_was_changed_in_place_is_another_photo(draw, taken_in):
    draw("photos/cat/a.bmp", 1)
    first = taken_in()
    draw("photos/cat/a.bmp", 2)
    second = taken_in()
    assert second.catalogue.photo_id[0] != first.catalogue.photo_id[0]
    assert second.report.new_photos == 1


def test_a_label_that_was_changed_gives_another_result_over_the_same_photos(draw, table, taken_in, store):
    draw("photos/a.jpg", 1)
    first = taken_in(table("filename,animal\na.jpg,cat\n"))
    photos, index = stored(store), set(store.list("index"))
    second = taken_in(table("filename,animal\na.jpg,dog\n"))
    assert second.result.key != first.result.key
    assert second.labelled == {("a.jpg", "animal"): "dog"}
    assert (stored(store), set(store.list("index"))) == (photos, index)


def test_a_photo_that_was_lost_from_the_store_is_taken_in_again(draw, taken_in, store):
    path = draw("photos/cat/a.jpg", 1)
    (key,) = [taken_in().catalogue.uri[0]]
    (store.root / key).unlink()
    taken_in()
    assert store.read(key) == path.read_bytes()


def test_what_the_fleet_file_calls_unsure_matters_only_where_somebody_was(draw, taken_in):
    draw("photos/cat/a.jpg", 1)
    assert taken_in().result.key == taken_in(unsure="maybe").result.key
    draw("photos/maybe/b.jpg", 2)
    assert taken_in().result.key != taken_in(unsure="maybe").result.key


def test_the_number_of_workers_does_not_matter(draw, make_fleet, tmp_path):
    for i in range(12):
        draw(f"photos/cat/{i}.jpg", i % 9)
    keys = set()
    for workers in ("1", "2", "7"):
        fleet = make_fleet()
        spec = fleet.spec.model_copy(update={"store": str(tmp_path / f"store{workers}")})
        keys.add(ingest(fleet.model_copy(update={"spec": spec}), config=IngestConfig(workers=int(workers))).key)
    assert len(keys) == 1


def test_a_dry_run_reads_nothing_and_reports_whether_there_is_something_to_do(draw, make_fleet, store):
    draw("photos/cat/a.jpg", 1)
    dry = open_context(make_fleet(), dry=True)
    with pytest.raises(NotDoneError, match="ingest"):
        ingest(make_fleet(), context=dry)
    assert stored(store) == set()
    done = ingest(make_fleet())
    assert ingest(make_fleet(), context=dry).key == done.key


class Heard:
    """Progress that keeps what it receives."""

    def __init__(self):
        self.totals, self.done, self.notes = [], 0, []

    @contextmanager
    def task(self, name, *, total, unit):
        self.totals.append((name, total, unit))
        yield self

    def advance(self, amount=1):
        self.done += amount

    def note(self, text):
        self.notes.append(text)


def test_a_skill_without_an_answer_is_noted_with_the_column_that_may_hold_them(draw, make_fleet, table):
    for i in range(2):
        draw(f"photos/{i}.jpg", i)
    source = table("filename,species\n0.jpg,cat\n1.jpg,dog\n")
    heard = Heard()
    fleet = make_fleet(source)
    ingest(fleet, context=open_context(fleet, progress=heard))
    (note,) = heard.notes
    assert note.startswith(
        "no photo carries an answer to 'animal'; did you rename 'species'? Then write `was: species`"
    )


def test_progress_counts_every_file(draw, make_fleet):
    for i in range(4):
        draw(f"photos/cat/{i}.jpg", i)
    draw("photos/cat/copy.jpg", 0)
    heard = Heard()
    ingest(make_fleet(), context=open_context(make_fleet(), progress=heard))
    assert (heard.totals, heard.done) == ([("ingest", 5, "photos")], 5)
    assert heard.notes == ["1 files or rows set aside: see rejected.json"]
