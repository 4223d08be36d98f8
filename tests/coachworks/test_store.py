import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from coachworks.errors import InvalidConfigError, NotFoundError
from coachworks.store import FolderStore, open_store, process_alive


def test_what_was_written_is_read_back(store: FolderStore) -> None:
    store.write("a/b.bin", b"one")
    store.write("a/b.bin", b"two")
    assert store.read("a/b.bin") == b"two"
    assert store.exists("a/b.bin")
    assert list(store.list("a")) == ["a/b.bin"]
    assert store.fetch("a/b.bin").read_bytes() == b"two"


def test_a_missing_object_says_which_and_where(store: FolderStore) -> None:
    with pytest.raises(NotFoundError, match=r"'no/such' is not in the store"):
        store.read("no/such")
    with pytest.raises(NotFoundError, match="no/such"):
        store.fetch("no/such")
    assert not store.exists("no/such")


@pytest.mark.parametrize("key", ["", "../x", "/etc/passwd", "a//b", "a/./b", "a/.."])
def test_keys_cannot_leave_the_store(store: FolderStore, key: str) -> None:
    with pytest.raises(InvalidConfigError, match="key must be a relative POSIX path"):
        store.write(key, b"")


def test_the_first_of_two_writers_of_a_tree_wins(store: FolderStore) -> None:
    for text in ("first", "second"):
        with store.scratch() as folder:
            (folder / "report.json").write_text(text)
            store.publish(folder, "results/x/1")
    assert store.read("results/x/1/report.json") == b"first"


def test_readers_never_see_half_an_object(store: FolderStore) -> None:
    store.write("big", b"0" * 500_000)
    stop = threading.Event()
    seen: set[tuple[int, int]] = set()

    def read() -> None:
        while not stop.is_set():
            data = store.read("big")
            seen.add((len(data), len(set(data))))

    thread = threading.Thread(target=read)
    thread.start()
    for digit in b"123456789" * 5:
        store.write("big", bytes([digit]) * 500_000)
    stop.set()
    thread.join()
    assert seen == {(500_000, 1)}


def test_scratch_folders_of_dead_processes_are_swept_and_those_of_the_living_kept(store: FolderStore) -> None:
    code = (
        "import os, sys, pathlib; from coachworks.store import FolderStore\n"
        "with FolderStore(pathlib.Path(sys.argv[1])).scratch() as folder: (folder / 'x').touch(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(store.root)], check=False)
    with store.scratch() as mine:
        assert len(list((store.root / "tmp").iterdir())) == 2
        store.sweep()
        assert list((store.root / "tmp").iterdir()) == [mine]


def test_other_schemes_are_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigError, match=r"store must be a folder or s3://bucket/prefix; got 'gs://bucket'.*\./store"):
        open_store("gs://bucket")
    assert open_store(str(tmp_path)).uri == str(tmp_path)
    assert Path(open_store("relative").uri).is_absolute()


def test_a_name_leads_to_the_newest_tree_and_moves_in_one_step(store: FolderStore) -> None:
    with pytest.raises(NotFoundError, match="'latest/x' leads nowhere"):
        store.pointed("latest/x")
    for key in ("results/x/1", "results/x/2"):
        store.write(f"{key}/report.json", key.encode())
        store.point("latest/x", key)
        assert store.pointed("latest/x") == key
        assert store.read("latest/x/report.json") == key.encode()


def test_a_process_that_has_ended_is_not_alive_even_before_it_is_reaped() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert process_alive(process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not process_alive(process.pid)
    process.communicate()
    assert not process_alive(process.pid)
