"""The store in a folder: links, temporary files, and paths."""

import os
import subprocess
import sys
import time

import pytest

from coachworks.errors import InvalidConfigError, NotFoundError
from coachworks.store import FolderStore, machine_folder, process_alive, this_process


def test_only_scratch_folders_of_dead_processes_are_swept(store: FolderStore) -> None:
    code = (
        "import os, sys, pathlib; from coachworks.store import FolderStore\n"
        "with FolderStore(pathlib.Path(sys.argv[1])).scratch() as folder: (folder / 'x').touch(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(store.root)], check=False)
    with store.scratch() as mine:
        assert len(list((store.root / "tmp").iterdir())) == 2
        store.sweep()
        assert list((store.root / "tmp").iterdir()) == [mine]


OTHER_MACHINE = "0123456789ab"
AS_ANOTHER_CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc"]


@pytest.mark.parametrize("name", [f"{OTHER_MACHINE}.4194301.77-{'a' * 32}", f"4194301-{'b' * 32}"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_scratch_of_another_machine_is_kept_for_a_week_after_its_last_change(
    store: FolderStore, name: str, kind: str
) -> None:
    path = store.root / "tmp" / name
    (path if kind == "folder" else path.parent).mkdir(parents=True)
    inner = path / "part" if kind == "folder" else path
    inner.write_bytes(b"half of it")
    store.sweep()
    assert inner.exists()
    long_ago = time.time() - 8 * 86400
    os.utime(path, (long_ago, long_ago))
    store.sweep()
    assert inner.exists() == (kind == "folder")  # a long step writes into a file of an old folder
    if kind == "folder":
        os.utime(inner, (long_ago, long_ago))
        store.sweep()
    assert not path.exists()


def test_scratch_of_an_earlier_process_with_the_same_id_is_swept(store: FolderStore) -> None:
    own = this_process()
    left = store.root / "tmp" / f"{own.machine}.{own.pid}.{int(own.started) - 1}-{'c' * 32}"
    left.mkdir(parents=True)
    if own.started == "0":
        pytest.skip("this system does not tell when a process started")
    store.sweep()
    assert not left.exists()


def test_a_file_that_is_no_scratch_is_left_alone(store: FolderStore) -> None:
    notes = store.root / "tmp" / "my-notes"
    notes.parent.mkdir(parents=True)
    notes.write_text("not ours")
    os.utime(notes, (0, 0))
    store.sweep()
    assert notes.exists()


def test_a_step_in_another_container_does_not_sweep_the_scratch_of_this_one(store: FolderStore) -> None:
    if subprocess.run([*AS_ANOTHER_CONTAINER, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("this user may not make PID namespaces")
    code = (
        "import sys, pathlib; from coachworks.store import FolderStore; FolderStore(pathlib.Path(sys.argv[1])).sweep()"
    )
    with store.scratch() as mine:
        (mine / "half").touch()
        subprocess.run([*AS_ANOTHER_CONTAINER, sys.executable, "-c", code, str(store.root)], check=True)
        assert (mine / "half").exists()


def test_a_link_is_a_symbolic_link(store: FolderStore) -> None:
    for key in ("results/x/1", "results/x/2"):
        store.write(f"{key}/report.json", key.encode())
        store.set_link("latest/x", key)
        assert (store.root / "latest" / "x" / "report.json").read_text() == key


def test_nothing_can_be_removed_through_a_link(store: FolderStore) -> None:
    store.write("results/x/1/report.json", b"{}")
    store.set_link("latest/x", "results/x/1")
    with pytest.raises(InvalidConfigError, match="key must name an object"):
        store.remove("latest/x/report.json")
    with pytest.raises(NotFoundError, match="is not in the store"):
        store.info("latest/x/report.json")
    assert store.exists("results/x/1/report.json")


def test_creating_an_object_leaves_no_temporary_files(store: FolderStore) -> None:
    store.create("a/b", b"1")
    store.create("a/b", b"2")
    assert not list((store.root / "tmp").iterdir())


def test_machine_folder_and_addresses_are_inside_the_store(store: FolderStore) -> None:
    assert machine_folder(store) == store.root
    assert store.address("results/x") == str(store.root / "results" / "x")


def test_a_zombie_process_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert process_alive(process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not process_alive(process.pid)
    process.communicate()
    assert not process_alive(process.pid)
