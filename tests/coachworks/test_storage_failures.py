"""Places that cannot be written to: real file systems that are full or read-only, and the sentences about them."""

import errno
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_disks import SmallDisk, small_disk

from coachworks.context import Context
from coachworks.errors import CoachworksError, InvalidConfigError
from coachworks.results import produce
from coachworks.runs import new_run, read_errors, start_run
from coachworks.storage_failures import StorageError, storage_failure, writing_to
from coachworks.store import FolderStore, S3Store, open_store
from coachworks.task import recorded
from coachworks.tracking import Tracking, open_client, translated

FULL = r"cannot be written: no space is left on its file system \(0 MB of 1 MB are free\)\. Free some space there, or "
KEPT = "then run again: what is finished is kept."


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def on_disk(disk: SmallDisk) -> FolderStore:
    store = FolderStore(disk.path / "store")
    store.write("kept/a", b"kept")
    with store.scratch() as folder:
        (folder / "x").write_bytes(b"1")
        store.publish(folder, "results/x/1")
    store.set_link("latest/x", "results/x/1")
    return store


def write_large(store: FolderStore) -> None:
    store.write("kept/a", bytes(100_000))


def copy_large(store: FolderStore) -> None:
    source = store.root.parents[1] / "source"
    source.write_bytes(bytes(100_000))
    store.write_file("kept/a", source)


def create_large(store: FolderStore) -> None:
    store.create("new", bytes(100_000))


def build_large(store: FolderStore) -> None:
    def build(folder: Path) -> dict[str, int]:
        (folder / "table").write_bytes(bytes(100_000))
        return {}

    produce("x", {}, build, context=Context(store), code="1")


WRITES = [write_large, copy_large, create_large, build_large]


@pytest.mark.parametrize("write", WRITES)
def test_a_full_disk_leaves_what_is_there_and_nothing_half_done(disk: SmallDisk, on_disk: FolderStore, write) -> None:
    disk.fill()
    with pytest.raises(StorageError, match=FULL) as failed:
        write(on_disk)
    assert str(failed.value).endswith(KEPT)
    assert on_disk.read("kept/a") == b"kept"
    assert not list((on_disk.root / "tmp").iterdir())
    assert not on_disk.exists("new")
    assert on_disk.resolve_link("latest/x") == "results/x/1"
    disk.free()
    write(on_disk)


@pytest.mark.parametrize("write", WRITES)
def test_a_read_only_store_is_refused_in_a_sentence(disk: SmallDisk, on_disk: FolderStore, write) -> None:
    disk.remount("ro")
    with pytest.raises(StorageError, match=r"its file system is read-only\. Mount it writable, or name another place"):
        write(on_disk)
    assert on_disk.read("kept/a") == b"kept"
    disk.remount("rw")
    write(on_disk)


def test_links_and_removals_in_a_read_only_store_are_refused_too(disk: SmallDisk, on_disk: FolderStore) -> None:
    disk.remount("ro")
    for attempt in (
        lambda: on_disk.set_link("latest/y", "results/x/1"),
        lambda: on_disk.remove("kept/a"),
        lambda: on_disk.scratch().__enter__(),
    ):
        with pytest.raises(StorageError, match="its file system is read-only"):
            attempt()


def test_a_file_that_may_not_become_so_large_is_named(store: FolderStore, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from coachworks.store import FolderStore\n"
        "FolderStore(pathlib.Path(sys.argv[1])).write('a', bytes(100_000))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(store.root)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )
    assert "StorageError" in done.stderr
    assert "a file may not become so large there. Raise the limit (`ulimit -f`), or " in done.stderr
    assert not store.exists("a")


def test_a_full_cache_of_a_bucket_is_named(in_bucket: S3Store, disk: SmallDisk, monkeypatch) -> None:
    monkeypatch.setenv("COACHWORKS_CACHE", str(disk.path / "cache"))
    in_bucket.write("a", bytes(100_000))
    in_bucket.write("b", b"small")
    in_bucket.fetch("b")
    disk.fill()
    with pytest.raises(StorageError, match=FULL):
        in_bucket.fetch("a")
    disk.free()
    assert in_bucket.fetch("a").stat().st_size == 100_000


def test_mlflow_on_a_full_disk_says_so_and_goes_on_when_there_is_space(disk: SmallDisk, empty_database: Path) -> None:
    disk.remount("size=8m")
    shutil.copyfile(empty_database, disk.path / "mlflow.db")
    tracking = Tracking(uri=f"sqlite:///{disk.path}/mlflow.db", database=disk.path / "mlflow.db")
    client = open_client(tracking)
    disk.fill()
    with pytest.raises(StorageError, match=r"mlflow\.db' cannot be written: no space"), translated(tracking):
        client.create_registered_model("cars", description="x" * 9000)
    disk.free()
    client.create_registered_model("cars", description="x" * 9000)


def test_mlflow_on_a_read_only_disk_says_so(disk: SmallDisk, empty_database: Path) -> None:
    shutil.copyfile(empty_database, disk.path / "mlflow.db")
    tracking = Tracking(uri=f"sqlite:///{disk.path}/mlflow.db", database=disk.path / "mlflow.db")
    disk.remount("ro")
    with pytest.raises(StorageError, match=r"mlflow\.\S*' cannot be written: its file system is read-only"):
        open_client(tracking)
    with pytest.raises(StorageError, match=r"its file system is read-only"), tracking.exclusive():
        pytest.fail("no lock")


def test_a_step_that_fails_on_a_full_disk_keeps_its_sentence_where_space_is_free_again(on_disk: FolderStore) -> None:
    run = start_run(on_disk, new_run("{}", [["a"]]))
    with pytest.raises(StorageError, match="no space is left"), recorded(Context(on_disk), run, "split"):
        write_large_table(on_disk)
    [error] = read_errors(on_disk, run.id)
    assert f"{str(on_disk.root / 'tmp')!r} cannot be written: no space is left on its file system" in error["message"]


def write_large_table(store: FolderStore) -> None:
    with store.scratch() as folder:
        (folder / "table").write_bytes(bytes(2_000_000))


def test_a_step_on_a_disk_that_stays_full_raises_its_own_error(disk: SmallDisk, on_disk: FolderStore) -> None:
    run = start_run(on_disk, new_run("{}", [["a"]]))

    def fail() -> None:
        with recorded(Context(on_disk), run, "split"):
            disk.fill()
            write_large_table(on_disk)

    with pytest.raises(StorageError, match=FULL):
        fail()


def _raised(number: int, text: str) -> OSError:
    return OSError(number, text, "/data/store/table")


@pytest.mark.parametrize(
    ("err", "reason"),
    [
        (_raised(errno.ENOSPC, "No space left on device"), "'/data/store/table' cannot be written: no space is left"),
        (_raised(errno.EDQUOT, "Disk quota exceeded"), "the quota of its owner is used up. Free some space there"),
        (
            RuntimeError("I/O error: No space left on device (os error 28)"),
            "a file cannot be written: no space is left",
        ),
        (sqlite3.OperationalError("database or disk is full"), "no space is left on its file system"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "its file system is read-only. Mount"),
        (FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"), "Set TMPDIR to one that can"),
    ],
)
def test_every_way_to_report_it_becomes_the_sentence(err: Exception, reason: str) -> None:
    assert reason in str(storage_failure(err))
    wrapped = RuntimeError("it failed")
    wrapped.__cause__ = err
    assert reason in str(storage_failure(wrapped))


@pytest.mark.parametrize(
    "err",
    [
        FileNotFoundError(2, "No such file or directory", "photo.jpg"),
        PermissionError(13, "Permission denied", "photo.jpg"),
        ValueError("File too large: 20 MB"),
        CoachworksError("the tracking server refused: No space left on device"),
    ],
)
def test_other_failures_are_left_as_they_are(err: Exception) -> None:
    assert storage_failure(err) is None


def test_a_place_without_permission_is_named_with_the_way_out() -> None:
    with (
        pytest.raises(
            StorageError, match=r"'x' cannot be written: this user has no permission to write there\. Let `ls"
        ),
        writing_to("x"),
    ):
        raise PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(IsADirectoryError), writing_to("x"):
        raise IsADirectoryError


def test_a_command_ends_with_the_sentence(monkeypatch, capsys, disk: SmallDisk) -> None:
    from coachworks.cli.main import main

    photos = disk.path / "photos"
    photos.mkdir()
    disk.fill()
    with pytest.raises(SystemExit) as ended:
        main(["demo", str(disk.path / "room"), "--cars", "40"])
    assert ended.value.code == 1
    message = capsys.readouterr().err
    assert "cannot be written: no space is left on its file system" in message
    assert "Traceback" not in message


@pytest.mark.parametrize("name", ["it's", 'a "b"', "50% %s", "#1", "ünï 車", "-x", "a;b&c", "$HOME `x`", "\\"])
def test_an_embedded_mlflow_works_under_any_name(tmp_path: Path, empty_database: Path, name: str) -> None:
    from coachworks.tracking.address import _embedded_in

    tracking = _embedded_in(str(tmp_path / name))
    assert tracking.database is not None
    tracking.database.parent.mkdir(parents=True)
    shutil.copyfile(empty_database, tracking.database)
    client = open_client(tracking)
    with tracking.exclusive():
        experiment = client.create_experiment("cars/view", artifact_location=tracking.artifact_location("cars/view"))
    run = client.create_run(experiment)
    client.log_text(run.info.run_id, "hello", "a.txt")
    assert [path.read_text() for path in (tmp_path / name).rglob("a.txt")] == ["hello"]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.slow  # the tables take seconds; the pipeline under such a name is in tests/hostile
def test_mlflow_makes_its_tables_in_a_path_with_an_apostrophe(tmp_path: Path) -> None:
    from coachworks.tracking.address import _embedded_in

    tracking = _embedded_in(str(tmp_path / "it's"))
    assert open_client(tracking).get_experiment_by_name("Default").artifact_location.startswith(tmp_path.as_uri())


@pytest.mark.parametrize("name", ["what?", "50%25"])
def test_a_name_that_mlflow_would_misread_is_refused_before_it_writes_beside_the_store(name: str) -> None:
    from coachworks.tracking.address import _embedded_in

    with pytest.raises(InvalidConfigError, match=r"neither a question mark nor a percent sign .*; got '.*Rename the"):
        _embedded_in(f"/data/{name}")


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "a\x7fb", "a\x00b"])
def test_control_characters_in_a_store_s_path_are_refused(name: str) -> None:
    with pytest.raises(
        InvalidConfigError, match=r"store must have no line breaks or other control characters; got 'a\\"
    ):
        open_store(f"./{name}"[2:])
