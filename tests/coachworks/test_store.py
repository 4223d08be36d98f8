"""Behaviour of every store, in a folder and in a bucket."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coachworks.errors import InvalidConfigError, NotFoundError
from coachworks.store import Store, open_store


def publish(store: Store, key: str, **files: str) -> None:
    with store.scratch() as folder:
        for name, text in files.items():
            path = folder / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        store.publish(folder, key)


def test_written_data_is_read_back(any_store: Store) -> None:
    any_store.write("a/b.bin", b"one")
    any_store.write("a/b.bin", b"two")
    assert any_store.read("a/b.bin") == b"two"
    assert any_store.exists("a/b.bin")
    assert list(any_store.list("a")) == ["a/b.bin"]
    assert any_store.fetch("a/b.bin").read_bytes() == b"two"


def test_an_object_can_be_empty(any_store: Store) -> None:
    any_store.write("empty", b"")
    assert any_store.exists("empty")
    assert any_store.read("empty") == any_store.fetch("empty").read_bytes() == b""


def test_a_part_of_an_object_is_read_without_the_rest(any_store: Store) -> None:
    any_store.write("a", bytes(range(100)))
    assert any_store.read("a", 10, 3) == bytes([10, 11, 12])
    assert any_store.read("a", 98) == bytes([98, 99])
    assert any_store.read("a", 98, 50) == bytes([98, 99])
    assert any_store.read("a", 5, 0) == b""


def test_fetch_returns_the_newest_content(any_store: Store) -> None:
    any_store.write("a.txt", b"one")
    assert any_store.fetch("a.txt").read_bytes() == b"one"
    any_store.write("a.txt", b"two")
    assert any_store.fetch("a.txt").read_bytes() == b"two"
    assert any_store.fetch("a.txt").name == "a.txt"


def test_a_missing_object_is_reported_with_key_and_store(any_store: Store) -> None:
    with pytest.raises(NotFoundError, match=r"'no/such' is not in the store"):
        any_store.read("no/such")
    with pytest.raises(NotFoundError, match="no/such"):
        any_store.fetch("no/such")
    assert not any_store.exists("no/such")
    assert list(any_store.list("no")) == []


@pytest.mark.parametrize("key", ["", "../x", "/etc/passwd", "a//b", "a/./b", "a/..", "a/"])
def test_keys_cannot_leave_the_store(any_store: Store, key: str) -> None:
    for use in (lambda: any_store.write(key, b""), lambda: any_store.read(key), lambda: any_store.exists(key)):
        with pytest.raises(InvalidConfigError, match="key must be a relative POSIX path"):
            use()


@pytest.mark.parametrize("key", ["results/x.tree", "latest/x.link", "results/@x/y"])
def test_keys_that_a_bucket_reserves_are_refused_by_every_store(any_store: Store, key: str) -> None:
    with pytest.raises(InvalidConfigError, match=r"key must not end in .*; got"):
        any_store.write(key, b"")
    with pytest.raises(InvalidConfigError, match=r"key must not end in .*; got"):
        publish(any_store, key, a="a")


def test_a_file_is_copied_into_the_store(any_store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    any_store.write_file("kept/file", tmp_path / "file")
    (tmp_path / "file").write_bytes(b"changed")
    assert any_store.read("kept/file") == b"content"


def test_an_object_is_created_once(any_store: Store) -> None:
    assert any_store.create("runs/1/run.json", b"ours")
    assert any_store.create("runs/1/run.json", b"ours")  # as after a lost reply
    assert not any_store.create("runs/1/run.json", b"theirs")
    assert any_store.read("runs/1/run.json") == b"ours"


def test_one_of_many_concurrent_creators_succeeds(any_store: Store) -> None:
    barrier = threading.Barrier(8)

    def create(number: int) -> bool:
        barrier.wait()
        return any_store.create("a/claim", b"%d" % number)

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(create, range(8)))
    assert sum(won) == 1
    assert any_store.read("a/claim") == b"%d" % won.index(True)


def test_size_and_time_of_an_object_are_available_without_reading_it(any_store: Store) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)  # servers tell whole seconds
    any_store.write("heads/a.json", b"{}")
    info = any_store.info("heads/a.json")
    assert info.size == 2
    assert before < info.written_at < datetime.now(UTC) + timedelta(seconds=5)
    publish(any_store, "results/x/1", **{"report.json": "{}"})
    for key in ("no/such", "heads", "results/x/1"):
        with pytest.raises(NotFoundError, match=f"'{key}' is not in the store"):
            any_store.info(key)


def test_a_removed_object_does_not_exist_and_its_neighbours_do(any_store: Store) -> None:
    any_store.write("heads/a.json", b"{}")
    any_store.write("heads/b.json", b"{}")
    any_store.fetch("heads/a.json")
    any_store.remove("heads/a.json")
    any_store.remove("heads/a.json")
    any_store.remove("heads/b.json/deeper")
    any_store.remove("no/such")
    assert not any_store.exists("heads/a.json")
    assert list(any_store.list("heads")) == ["heads/b.json"]
    for use in (any_store.read, any_store.fetch, any_store.info):
        with pytest.raises(NotFoundError, match=r"'heads/a\.json' is not in the store"):
            use("heads/a.json")
    any_store.write("heads/a.json", b"again")
    assert any_store.fetch("heads/a.json").read_bytes() == b"again"


@pytest.mark.parametrize("key", ["results", "results/x/1", "results/x/1/skill", "latest/x", "heads"])
def test_folders_trees_and_links_cannot_be_removed(any_store: Store, key: str) -> None:
    publish(any_store, "results/x/1", **{"report.json": "{}", "skill__head.bin": "weights"})
    any_store.set_link("latest/x", "results/x/1")
    any_store.write("heads/a.json", b"{}")
    with pytest.raises(InvalidConfigError, match=f"key must name an object; got '{key}', a folder, a tree or a link"):
        any_store.remove(key)
    assert any_store.read("results/x/1/skill/head.bin") == b"weights"
    assert any_store.resolve_link("latest/x") == "results/x/1"


@pytest.mark.parametrize("key", ["../x", "results/x/1.tree", "latest/x.link", "results/x/1/@y/report.json"])
def test_a_key_that_cannot_be_written_cannot_be_removed(any_store: Store, key: str) -> None:
    with pytest.raises(InvalidConfigError, match="key must"):
        any_store.remove(key)


def test_a_published_tree_is_listed_as_its_files(any_store: Store) -> None:
    publish(any_store, "results/x/1", **{"report.json": "{}", "skill__head.bin": "weights"})
    assert any_store.exists("results/x/1")
    assert any_store.exists("results/x/1/skill/head.bin")
    assert any_store.exists("results/x/1/skill")
    assert not any_store.exists("results/x/1/other")
    assert any_store.read("results/x/1/skill/head.bin") == b"weights"
    files = ["results/x/1/report.json", "results/x/1/skill/head.bin"]
    assert list(any_store.list("results/x/1")) == files
    assert list(any_store.list("results")) == files
    assert list(any_store.list("results/x/1/skill")) == files[1:]
    with pytest.raises(NotFoundError, match="results/x/1/other"):
        any_store.read("results/x/1/other")


def test_a_tree_is_fetched_whole_or_in_part(any_store: Store) -> None:
    publish(any_store, "results/x/1", **{"report.json": "{}", "skill__head.bin": "weights"})
    assert any_store.fetch("results/x/1/skill/head.bin").read_bytes() == b"weights"
    assert (any_store.fetch("results/x/1/skill") / "head.bin").read_bytes() == b"weights"
    whole = any_store.fetch("results/x/1")
    assert sorted(path.name for path in whole.rglob("[!.]*")) == ["head.bin", "report.json", "skill"]
    with pytest.raises(NotFoundError, match="results/x/1/other"):
        any_store.fetch("results/x/1/other")


def test_a_tree_keeps_empty_folders_and_executable_bits(any_store: Store) -> None:
    with any_store.scratch() as folder:
        (folder / "empty").mkdir()
        (folder / "run.sh").write_text("#!/bin/sh")
        (folder / "run.sh").chmod(0o755)
        any_store.publish(folder, "bentos/x/1")
    tree = open_store(any_store.uri).fetch("bentos/x/1")
    assert (tree / "empty").is_dir()
    assert os.access(tree / "run.sh", os.X_OK)


def test_the_first_of_two_writers_of_a_tree_wins(any_store: Store) -> None:
    for text in ("first", "second"):
        publish(any_store, "results/x/1", **{"report.json": text})
    assert any_store.read("results/x/1/report.json") == b"first"


def test_one_of_many_concurrently_published_trees_is_visible_and_complete(any_store: Store) -> None:
    barrier = threading.Barrier(4)

    def write(number: int) -> None:
        store = open_store(any_store.uri)
        with store.scratch() as folder:
            for name in "abc":
                (folder / name).write_text(str(number))
            barrier.wait()
            store.publish(folder, "results/x/1")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert len({any_store.read(f"results/x/1/{name}") for name in "abc"}) == 1
    assert list(any_store.list("results")) == [f"results/x/1/{name}" for name in "abc"]
    tree = any_store.fetch("results/x/1")
    assert len({(tree / name).read_text() for name in "abc"}) == 1


def test_readers_never_see_half_an_object(any_store: Store) -> None:
    any_store.write("big", b"0" * 500_000)
    stop = threading.Event()
    seen: set[tuple[int, int]] = set()

    def read() -> None:
        while not stop.is_set():
            data = any_store.read("big")
            seen.add((len(data), len(set(data))))

    thread = threading.Thread(target=read)
    thread.start()
    for digit in b"123456789" * 2:
        any_store.write("big", bytes([digit]) * 500_000)
    stop.set()
    thread.join()
    assert seen == {(500_000, 1)}


def test_a_link_refers_to_the_newest_and_is_not_an_object(any_store: Store) -> None:
    with pytest.raises(NotFoundError, match="there is no link 'latest/x'"):
        any_store.resolve_link("latest/x")
    for key in ("results/x/1", "results/x/2"):
        publish(any_store, key, **{"report.json": key})
        any_store.set_link("latest/x", key)
        assert any_store.resolve_link("latest/x") == key
    assert list(any_store.list("latest")) == []


def test_a_scratch_folder_is_deleted_on_exit(any_store: Store) -> None:
    with any_store.scratch() as folder:
        (folder / "x").touch()
    assert not folder.exists()
    with pytest.raises(RuntimeError), any_store.scratch() as folder:
        raise RuntimeError
    assert not folder.exists()


def test_other_schemes_are_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigError, match=r"a folder or s3://bucket/prefix; got 'gs://bucket'.*\./store"):
        open_store("gs://bucket")
    with pytest.raises(InvalidConfigError, match=r"store must be s3://bucket/prefix; got 's3://'"):
        open_store("s3://")
    assert open_store(str(tmp_path)).uri == str(tmp_path)
    assert Path(open_store("relative").uri).is_absolute()
    assert open_store("s3://bucket/some/prefix/").uri == "s3://bucket/some/prefix"
