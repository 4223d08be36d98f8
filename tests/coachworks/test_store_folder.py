"""The store in a folder: links, temporary files, and paths."""

import os
import subprocess
import sys

import pytest

from coachworks.errors import InvalidConfigError, NotFoundError
from coachworks.store import FolderStore, machine_folder, process_alive


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
