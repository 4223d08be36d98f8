"""Damage in a store: what is read is what was written, or the reader is told what is damaged and how to go on."""

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from damage import DAMAGES, Files

from coachworks.digests import digest_bytes
from coachworks.errors import DamagedError, NotFoundError
from coachworks.results import load, produce
from coachworks.s3 import RetryPolicy, retry
from coachworks.store import Store, open_store, read_record, record_bytes, write_record
from coachworks.store.seal import parse_record

CONTENT = bytes(range(256)) * 40
DIGEST = digest_bytes(CONTENT)
RECORD = {"state": "done", "notes": ["ein Wörtchen"], "seconds": 0.1}
TREE = "results/train/3f"
# What is read -> the part of the key of the file that is damaged.
WRITTEN = {
    f"photos/{DIGEST[:2]}/{DIGEST}.jpg": f"{DIGEST}.jpg",
    f"heads/{DIGEST}.safetensors": ".safetensors",
    f"features/0f/clean/{DIGEST[:32]}.safetensors": ".safetensors",
    f"index/photos/{DIGEST}.json": ".json",
    "runs/1/run.json": "run.json",
    f"{TREE}/report.json": "report.json",
    f"{TREE}/skill/head.bin": "head.bin",
}


def fill(store: Store) -> None:
    """Write an object of every kind that has a digest."""
    for key in WRITTEN:
        if key.startswith(("photos", "heads", "features", "index")):
            store.write(key, CONTENT)
    write_record(store, "runs/1/run.json", RECORD)
    with store.scratch() as folder:
        (folder / "skill").mkdir()
        (folder / "skill" / "head.bin").write_bytes(CONTENT)
        (folder / "report.json").write_text(json.dumps(RECORD))
        store.publish(folder, TREE)


def read(store: Store, key: str) -> object:
    return read_record(store, key) if key.endswith(("run.json", "report.json")) else store.read(key)


def fetched(store: Store, key: str) -> object:
    data = store.fetch(key).read_bytes()
    return json.loads(data) if key.endswith("report.json") else data


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits between attempts, not their number."""
    monkeypatch.setattr(retry, "DEFAULT_POLICY", RetryPolicy(initial_wait_s=0.001, max_wait_s=0.001))


def expect_damage(store: Store, key: str, how: str) -> None:
    """Damage the file of `key`, require that each way to read it names the damage, and put the content back."""
    files = Files(store)
    folder = key.partition("/")[0]
    (file,) = [each for each in files.list() if each.startswith(folder) and each.endswith(WRITTEN[key])]
    data = files.damage(file, how)
    reads: list[Callable[[Store, str], object]] = [read] if key == "runs/1/run.json" else [read, fetched]
    for use in reads:
        with pytest.raises((DamagedError, NotFoundError)) as caught:
            use(open_store(store.uri), key)
        assert Path(key).name in str(caught.value)
        if how != "removed" or key.startswith(TREE):
            assert isinstance(caught.value, DamagedError)
            assert f"Run `coachworks store verify --repair {store.uri}`" in str(caught.value)
    files.put(file, data)


@pytest.mark.parametrize("key", WRITTEN)
def test_what_is_read_from_a_folder_is_what_was_written_or_its_damage_is_named(store: Store, key: str) -> None:
    fill(store)
    for how in DAMAGES:
        expect_damage(store, key, how)
        assert read(open_store(store.uri), key) == (RECORD if key.endswith(("run.json", "report.json")) else CONTENT)


def test_what_is_read_from_a_bucket_is_what_was_written_or_its_damage_is_named(
    in_bucket: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fill(in_bucket)
    monkeypatch.setenv("COACHWORKS_CACHE", str(tmp_path / "another-machine"))
    for key in (f"heads/{DIGEST}.safetensors", "runs/1/run.json", f"{TREE}/skill/head.bin"):
        for how in DAMAGES:
            expect_damage(in_bucket, key, how)


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_manifest_of_a_tree_is_named_and_its_absence_is_no_damage(store: Store, how: str) -> None:
    fill(store)
    files = Files(store)
    (manifest,) = [key for key in files.list() if key.endswith(".tree")]
    files.damage(manifest, how)
    if how == "removed":  # as in a tree of an earlier version
        assert read(open_store(store.uri), f"{TREE}/report.json") == RECORD
        return
    with pytest.raises(
        DamagedError,
        match=r"results/train/3f/?\.tree' of the store .* is damaged: (it must be the manifest|its SHA-256)",
    ):
        open_store(store.uri).read(f"{TREE}/report.json")


def test_no_flipped_bit_of_a_record_goes_unnoticed() -> None:
    data = record_bytes(RECORD)
    assert parse_record(data, "runs/1/run.json", "/store") == RECORD
    for place in range(len(data)):
        for bit in range(8):
            flipped = data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
            with pytest.raises(DamagedError, match=r"'runs/1/run\.json' .* is damaged"):
                parse_record(flipped, "runs/1/run.json", "/store")


def test_records_and_trees_of_earlier_versions_are_read_without_digests(store: Store) -> None:
    store.write("runs/1/run.json", json.dumps(RECORD, indent=1).encode())
    store.write(f"{TREE}/report.json", json.dumps(RECORD).encode())
    assert read_record(store, "runs/1/run.json") == RECORD
    assert read_record(store, f"{TREE}/report.json") == RECORD
    assert store.fetch(TREE).is_dir()


def test_a_damaged_copy_of_a_bucket_s_content_is_fetched_again(in_bucket: Store, tmp_path: Path) -> None:
    fill(in_bucket)
    for key in (f"heads/{DIGEST}.safetensors", f"{TREE}/skill/head.bin"):
        copy = open_store(in_bucket.uri).fetch(key)
        data = bytearray(copy.read_bytes())
        data[0] ^= 1
        copy.write_bytes(data)
        assert open_store(in_bucket.uri).fetch(key).read_bytes() == CONTENT


def test_a_result_whose_report_is_damaged_is_not_used_and_not_made_again_in_silence(
    any_store: Store, context: Callable[[Store], object]
) -> None:
    produce("train", {"a": 1}, lambda folder: {"x": 1}, context=context(any_store), code="c")
    files = Files(any_store)
    (report,) = [key for key in files.list() if key.endswith("report.json")]
    data = files.read(report)
    files.put(report, data.replace(b'"x": 1', b'"x": 2'))
    again = open_store(any_store.uri)
    with pytest.raises(DamagedError, match=r"report\.json' .* its SHA-256"):
        produce("train", {"a": 1}, lambda folder: {"x": 1}, context=context(again), code="c")
    with pytest.raises(DamagedError, match=r"report\.json' .* its SHA-256"):
        load(again, "train", report.split("/")[2])


def test_an_error_of_damage_survives_the_way_from_a_worker_process() -> None:
    err = copy.copy(DamagedError("photos/3f/3f.jpg", "/a store", "it is empty"))  # by __reduce__, as pickle
    assert (err.key, err.store, err.problem) == ("photos/3f/3f.jpg", "/a store", "it is empty")
    assert "`coachworks store verify --repair '/a store'`" in str(err)


@pytest.fixture
def context() -> Callable[[Store], object]:
    from coachworks.context import Context

    return lambda store: Context(store)


def test_every_file_is_flushed_after_its_last_write_before_it_gets_its_name_and_the_name_afterwards(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Record what reaches the disk, at the boundary to the operating system."""
    flushed: dict[int, object] = {}  # inode -> content when it was flushed last
    named: list[Path] = []
    real_fsync, real_rename, real_replace, real_link = os.fsync, os.rename, os.replace, os.link

    def fsync(descriptor: int) -> None:
        real_fsync(descriptor)
        flushed[os.fstat(descriptor).st_ino] = content(Path(f"/proc/self/fd/{descriptor}").readlink())

    def content(path: Path) -> object:
        return sorted(each.name for each in path.iterdir()) if path.is_dir() else path.read_bytes()

    def is_flushed(path: Path) -> bool:
        return flushed.get(path.stat().st_ino) == content(path)

    def naming(real: Callable[..., None]) -> Callable[..., None]:
        def rename(source: os.PathLike[str], target: os.PathLike[str], **options: object) -> None:
            path = Path(source)
            if not path.is_symlink():
                for each in (path, *path.rglob("*")):
                    assert is_flushed(each), f"{each} was not flushed before it got a name"
            real(source, target, **options)
            named.append(Path(target))

        return rename

    monkeypatch.setattr(os, "fsync", fsync)
    for name, real in (("rename", real_rename), ("replace", real_replace), ("link", real_link)):
        monkeypatch.setattr(os, name, naming(real))
    fill(store)
    (tmp_path / "file").write_bytes(b"x")
    store.write_file("heads/file", tmp_path / "file")
    store.create("photos/aa/photo.jpg", b"photo")
    store.set_link("latest/train", TREE)  # as each step ends; flushes what `create` has noted
    assert len(named) == len(WRITTEN) + 2
    for path in named:
        for above in path.parents:
            assert is_flushed(above), f"{above} was not flushed after {path} got its name"
            if above == Path(store.uri):
                break
