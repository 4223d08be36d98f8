"""Ingestion from a bucket: the same result as from a folder, and no more bytes of each object than needed."""

import re
from pathlib import Path

import pandas as pd
import pytest

from coachworks.context import open_context
from coachworks.errors import DataError, InvalidConfigError, NotFoundError
from coachworks.photos import MAX_BYTES
from coachworks.results import NotDoneError
from coachworks.s3 import objects
from coachworks.store import open_store
from components.ingest import bucket_walk
from components.ingest.config import IngestConfig
from components.ingest.reach import local_sources
from components.ingest.step import ingest


def aside(read):
    return {(entry["file"], entry["reason"]) for entry in read.rejected}


@pytest.fixture
def photos(draw, tmp_path) -> Path:
    """A folder with everything that a folder may hold."""
    names = ("cat/a.jpg", "cat.jpg", "cat/deep/er/b.png", "cat/deep.jpg", "dog/ä ö+%.jpg", ".hidden/c.jpg")
    for i, name in enumerate(names):
        draw(f"photos/{name}", i)
    draw("photos/dog/copy.jpg", 0)
    draw("photos/__MACOSX/a.jpg", 9)
    (tmp_path / "photos/broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (tmp_path / "photos/empty.jpg").touch()
    (tmp_path / "photos/LICENSE").write_text("mine")
    (tmp_path / "photos/notes.txt").write_text("notes")
    return tmp_path / "photos"


def test_the_same_photos_give_the_same_result_from_a_folder_and_from_a_bucket(photos, bucket, taken_in):
    bucket.fill(photos, "some/photos/")
    local = taken_in()
    remote = taken_in({"photos": f"s3://{bucket.name}/some/photos"})
    assert remote.result.key == local.result.key
    assert remote.result.reused


def test_a_bucket_alone_gives_the_tables_that_a_folder_gives(photos, bucket, taken_in, tmp_path):
    bucket.fill(photos, "photos/")
    local = taken_in()
    (tmp_path / "store").rename(tmp_path / "other-store")
    remote = taken_in({"photos": f"s3://{bucket.name}/photos/"})
    assert not remote.result.reused
    pd.testing.assert_frame_equal(
        remote.catalogue.drop(columns="ingested_at"), local.catalogue.drop(columns="ingested_at")
    )
    pd.testing.assert_frame_equal(remote.votes, local.votes)
    pd.testing.assert_frame_equal(remote.labels, local.labels)
    assert remote.rejected == local.rejected
    assert remote.report == local.report
    assert list(remote.catalogue.filename)[:4] == ["cat/a.jpg", "cat/deep/er/b.png", "cat/deep.jpg", "cat.jpg"]


def test_only_new_objects_are_read_again(draw, bucket, taken_in, tmp_path):
    for i in range(4):
        draw(f"photos/cat/{i}.jpg", i)
    bucket.fill(tmp_path / "photos", "p/")
    source = {"photos": f"s3://{bucket.name}/p"}
    first = taken_in(source)
    assert len(bucket.reads()) == 4
    assert taken_in(source).result.reused
    assert bucket.reads() == []
    bucket.put("p/cat/0.jpg", draw("new.jpg", 10).read_bytes())  # replaced
    bucket.put("p/cat/1.jpg", (tmp_path / "photos/cat/1.jpg").read_bytes())  # put again: the same bytes
    bucket.put("p/dog/9.jpg", draw("newer.jpg", 11).read_bytes())  # added
    second = taken_in(source)
    assert bucket.reads() == ["p/cat/0.jpg", "p/dog/9.jpg"]
    assert (second.report.photos, second.report.new_photos) == (5, 2)
    assert first.result.key != second.result.key


def test_a_dry_run_lists_the_bucket_and_reads_nothing(draw, bucket, make_fleet):
    bucket.put("p/cat/a.jpg", draw("a.jpg").read_bytes())
    dry = open_context(make_fleet(), dry=True)
    fleet = make_fleet({"photos": f"s3://{bucket.name}/p"})
    with pytest.raises(NotDoneError, match="1 files are new or have changed"):
        ingest(fleet, context=dry)
    assert bucket.reads() == []
    done = ingest(fleet)
    assert ingest(fleet, context=dry).key == done.key


def test_a_table_in_the_bucket_labels_the_photos(draw, bucket, taken_in, tmp_path):
    for i, name in enumerate("abcd"):
        draw(f"photos/{name}.jpg", i)
    bucket.fill(tmp_path / "photos", "data/photos/")
    rows = ["filename,animal", "a.jpg,cat", "photos/b.jpg,dog", f"s3://{bucket.name}/data/photos/c.jpg,cat"]
    rows += [f"s3://{bucket.name}/elsewhere/d.jpg,cat", "gone.jpg,cat"]
    bucket.put("data/table.csv", "\n".join(rows).encode())
    table = f"s3://{bucket.name}/data/table.csv"
    read = taken_in({"photos": f"s3://{bucket.name}/data/photos", "table": table})
    assert read.labelled == {
        (f"{name}.jpg", "animal"): label for name, label in (("a", "cat"), ("b", "dog"), ("c", "cat"))
    }
    assert aside(read) == {(f"s3://{bucket.name}/elsewhere/d.jpg", "outside"), ("gone.jpg", "missing")}
    frame = pd.DataFrame({"filename": ["a.jpg", "d.jpg"], "animal": ["dog", "cat"]})
    frame.to_parquet(tmp_path / "table.parquet")
    bucket.put("data/photos/table.parquet", (tmp_path / "table.parquet").read_bytes())
    table = f"s3://{bucket.name}/data/photos/table.parquet"
    read = taken_in({"photos": f"s3://{bucket.name}/data/photos", "table": table})
    assert read.labelled == {("a.jpg", "animal"): "dog", ("d.jpg", "animal"): "cat"}
    assert read.report.ignored == 1
    local = taken_in({"photos": "photos", "table": table})  # the table elsewhere than the photos
    assert local.labelled == read.labelled


def test_a_table_that_is_not_in_the_bucket_or_may_not_be_read_is_named(draw, bucket, taken_in):
    bucket.put("photos/a.jpg", draw("a.jpg").read_bytes())
    source = {"photos": f"s3://{bucket.name}/photos", "table": f"s3://{bucket.name}/gone.csv"}
    with pytest.raises(NotFoundError, match=r"table 's3://.*/gone.csv' does not exist. Correct `table`"):
        taken_in(source)
    bucket.server.refuse["GET", f"/{bucket.name}/gone.csv"] = ["AccessDenied"]
    with pytest.raises(DataError, match=r"table 's3://.*/gone.csv' cannot be read: access is denied \(AccessDenied\)"):
        taken_in(source)


def test_more_objects_than_one_listing_holds_are_all_found(draw, bucket, taken_in, monkeypatch):
    monkeypatch.setattr(objects, "PAGE_KEYS", 3)
    data = draw("a.jpg").read_bytes()
    for i in range(10):
        bucket.put(f"photos/cat/{i}.jpg", data)
    assert taken_in({"photos": f"s3://{bucket.name}/photos"}).report.duplicates == 9


def test_of_an_object_that_is_too_large_only_the_first_bytes_are_read(draw, bucket, taken_in, monkeypatch):
    photo = draw("a.png").read_bytes()
    bucket.put("photos/a.png", photo)
    bucket.put("photos/large.png", photo + b"\0" * (MAX_BYTES + 1 - len(photo)))
    bucket.put("photos/film.png", b"\0\0\0\x18ftypisom" + b"\0" * MAX_BYTES)
    most: list[int] = []
    read = bucket_walk.BucketObject.read
    monkeypatch.setattr(
        bucket_walk.BucketObject, "read", lambda file, size: most.append(len(data := read(file, size))) or data
    )
    assert aside(taken_in({"photos": f"s3://{bucket.name}/photos"})) == {
        ("large.png", "too-large"),
        ("film.png", "not-a-photo"),
    }
    assert sorted(most) == [64, 64, len(photo)]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("AccessDenied", r"it cannot be read: access is denied \(AccessDenied\)"),
        ("NoSuchKey", r"it cannot be read: it is gone \(NoSuchKey\)"),
        ("InvalidObjectState", r"it cannot be read: it is archived; restore it first \(InvalidObjectState\)"),
    ],
)
def test_an_object_that_cannot_be_read_is_set_aside_and_tried_again_next_time(code, message, draw, bucket, taken_in):
    for i, name in enumerate("ab"):
        bucket.put(f"photos/{name}.jpg", draw(f"{name}.jpg", i).read_bytes())
    bucket.server.refuse["GET", f"/{bucket.name}/photos/b.jpg"] = [code]
    source = {"photos": f"s3://{bucket.name}/photos"}
    read = taken_in(source)
    (entry,) = read.rejected
    assert (entry["file"], entry["reason"]) == ("b.jpg", "unreadable")
    assert re.fullmatch(message, entry["message"])
    assert read.report.photos == 1
    assert taken_in(source).report.photos == 2


def test_an_object_that_was_replaced_since_it_was_listed_waits_for_the_next_run(draw, bucket):
    bucket.put("photos/a.jpg", draw("a.jpg", 1).read_bytes())
    (file,) = bucket_walk.walk_bucket(f"s3://{bucket.name}/photos", "photos")
    bucket.put("photos/a.jpg", draw("b.jpg", 2).read_bytes())
    with pytest.raises(OSError, match="it was replaced while photos were taken in; the next run reads it"):
        file.read(100_000)


def test_a_server_that_stumbles_is_asked_again(draw, bucket, taken_in):
    bucket.put("photos/a.jpg", draw("a.jpg").read_bytes())
    bucket.server.refuse["GET", f"/{bucket.name}/photos/a.jpg"] = ["SlowDown", "InternalError", "broken off"]
    bucket.server.refuse["GET", f"/{bucket.name}"] = ["ServiceUnavailable"]
    read = taken_in({"photos": f"s3://{bucket.name}/photos"})
    assert (read.report.photos, read.rejected) == (1, [])


def test_marks_of_folders_are_passed_over_and_keys_that_no_file_can_have_are_set_aside(draw, bucket, taken_in):
    photo = draw("a.jpg").read_bytes()
    bucket.put("photos/", b"")
    bucket.put("photos/cat/", b"")
    bucket.put("photos/cat/a.jpg", photo)
    bucket.put("photos//b.jpg", photo)
    bucket.put("photos/cat//c.jpg", photo)
    bucket.put("photos/d.jpg/", photo)
    read = taken_in({"photos": f"s3://{bucket.name}/photos"})
    assert list(read.catalogue.filename) == ["cat/a.jpg"]
    assert aside(read) == {(name, "unreadable") for name in ("/b.jpg", "cat//c.jpg", "d.jpg/")}
    assert "must have no empty part" in read.rejected[0]["message"]


def test_a_prefix_holds_whole_parts_only(draw, bucket, taken_in):
    bucket.put("photos/a.jpg", draw("a.jpg", 1).read_bytes())
    bucket.put("photos-old/b.jpg", draw("b.jpg", 2).read_bytes())
    assert list(taken_in({"photos": f"s3://{bucket.name}/photos"}).catalogue.filename) == ["a.jpg"]
    assert taken_in({"photos": f"s3://{bucket.name}"}).report.sources == {bucket.name: 2}


def test_a_bucket_that_is_missing_is_named(bucket, taken_in):
    with pytest.raises(NotFoundError, match=r"photos 's3://no-such-bucket/p' does not exist: there is no bucket"):
        taken_in({"photos": "s3://no-such-bucket/p"})


def test_a_prefix_without_objects_is_an_error_but_an_empty_folder_is_not(draw, bucket, taken_in):
    bucket.put("photos/a.jpg", draw("a.jpg").read_bytes())
    with pytest.raises(
        NotFoundError, match=r"photos 's3://.*/photo' does not exist: nothing lies there. Correct `photos`"
    ):
        taken_in({"photos": f"s3://{bucket.name}/photo"})
    bucket.put("empty/", b"")
    sources = [{"photos": f"s3://{bucket.name}/{name}"} for name in ("empty", "photos")]
    assert taken_in(*sources).report.photos == 1


def test_an_object_in_place_of_the_prefix_is_refused(draw, bucket, taken_in):
    bucket.put("photos/a.jpg", draw("a.jpg").read_bytes())
    with pytest.raises(InvalidConfigError, match=r"photos must be a prefix, .*; got 's3://.*/a.jpg', an object"):
        taken_in({"photos": f"s3://{bucket.name}/photos/a.jpg"})


def test_a_bucket_that_may_not_be_listed_is_refused_with_the_rights_that_are_needed(bucket, taken_in):
    bucket.server.refuse["GET", f"/{bucket.name}"] = ["AccessDenied"] * 20
    with pytest.raises(InvalidConfigError, match=r"got 's3://.*', where access is denied. Allow s3:ListBucket"):
        taken_in({"photos": f"s3://{bucket.name}/p"})


def test_the_store_is_left_out_when_it_lies_under_the_prefix(draw, bucket):
    for i, key in enumerate(["a.jpg", "team/store/photos/b.jpg", "team/store-room/c.jpg", "team/d.jpg"]):
        bucket.put(key, draw("x.jpg", i).read_bytes())

    def names(photos: str, store: str) -> list[str]:
        return [file.name for file in bucket_walk.walk_bucket(f"s3://{bucket.name}{photos}", "p", leave_out=store)]

    store = f"s3://{bucket.name}/team/store"
    assert names("", store) == ["a.jpg", "team/d.jpg", "team/store-room/c.jpg"]
    assert names("/team", f"{store}/") == ["d.jpg", "store-room/c.jpg"]
    assert names("/team", "s3://another/team/store") == ["d.jpg", "store/photos/b.jpg", "store-room/c.jpg"]


def test_sources_that_pods_cannot_reach_are_those_with_something_on_this_machine(make_fleet):
    sources = [
        {"photos": "photos"},
        {"photos": "s3://bucket/photos", "table": "photos.csv"},
        {"photos": "s3://bucket/photos", "table": "s3://bucket/photos.csv"},
        {"photos": "photos", "table": "s3://bucket/photos.csv"},
        {"photos": "s3://bucket"},
    ]
    fleet = make_fleet(*sources)
    spec = fleet.spec.sources
    assert local_sources(fleet) == [spec[0], spec[1], spec[3]]


@pytest.fixture
def fleet_in_bucket(bucket, make_fleet, monkeypatch, tmp_path):
    """A fleet whose store lies under `store/` in the bucket."""
    monkeypatch.setenv("COACHWORKS_CACHE", str(tmp_path / "cache"))

    def make(*sources, **options):
        fleet = make_fleet(*sources, **options)
        return fleet.model_copy(update={"spec": fleet.spec.model_copy(update={"store": f"s3://{bucket.name}/store"})})

    return make


def test_a_store_in_a_bucket_holds_what_a_store_in_a_folder_holds(
    photos, bucket, fleet_in_bucket, make_fleet, tables, store
):
    bucket.fill(photos, "photos/")
    local = ingest(make_fleet())
    remote = ingest(fleet_in_bucket({"photos": f"s3://{bucket.name}/photos"}))
    assert remote.key == local.key
    assert remote.report == local.report
    ours, theirs = tables(local), tables(remote)
    for name in ("votes", "labels"):
        pd.testing.assert_frame_equal(getattr(theirs, name), getattr(ours, name))
    in_bucket = open_store(f"s3://{bucket.name}/store")
    assert list(in_bucket.list("photos")) == list(store.list("photos"))
    assert all(in_bucket.read(key) == store.read(key) for key in store.list("photos"))


def test_a_store_under_the_prefix_of_its_source_is_left_out_every_time(draw, bucket, fleet_in_bucket):
    bucket.put("cat/a.jpg", draw("a.jpg").read_bytes())
    fleet = fleet_in_bucket({"photos": f"s3://{bucket.name}", "source": "own"})
    first = ingest(fleet)
    assert first.report.photos == 1
    assert ingest(fleet).key == first.key


def test_the_photos_of_this_machine_go_into_a_bucket_once(draw, bucket, fleet_in_bucket):
    for i in range(3):
        draw(f"photos/cat/{i}.jpg", i)
    first = ingest(fleet_in_bucket())
    written = [path for method, path in bucket.server.seen if method == "PUT" and "/store/photos/" in path]
    assert len(written) == 3
    bucket.server.seen.clear()
    again = ingest(fleet_in_bucket())
    assert (again.key, again.reused) == (first.key, True)
    assert [path for method, path in bucket.server.seen if "/store/photos/" in path] == []
    taken = ingest(fleet_in_bucket({"photos": "gone"}), config=IngestConfig(ingested=first.key))
    assert taken.key == first.key


def test_one_in_five_answers_an_error_and_still_all_is_taken_in(draw, bucket, fleet_in_bucket):
    for i in range(20):
        bucket.put(f"photos/cat/{i}.jpg", draw("x.jpg", i).read_bytes())
    bucket.server.fail_every = 5
    try:
        result = ingest(fleet_in_bucket({"photos": f"s3://{bucket.name}/photos"}))
    finally:
        bucket.server.fail_every = 0
    assert (result.report.photos, result.report.rejected) == (20, {})
