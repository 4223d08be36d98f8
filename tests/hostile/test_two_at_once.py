"""Two at once on one store, and places that are full: real commands in processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from packaged_fleet import FLEET
from small_disks import small_disk
from toy_fleet import call, prepare_toys

from coachworks.child_server import free_port
from coachworks.runs import load_run
from coachworks.store import FolderStore, Store, open_store
from s3_server import local_s3

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(900)]

Measured = Callable[[str, str, str], None]
ODD_NAME = 'it\'s "50%" #1; é車 -x'


def begin(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "coachworks.cli.main", *arguments]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.fixture(params=["folder", "bucket"])
def place(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    converted: FolderStore,
    empty_database: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[Path, Store]]:
    """Folder of a fleet, and its store: in a folder of an odd name, or in a bucket."""
    folder = tmp_path / ODD_NAME
    folder.mkdir()
    prepare_toys(folder, converted, empty_database, things=6)
    if request.param == "folder":
        yield folder, FolderStore(folder / "store")
        return
    file = folder / "fleet.yaml"
    there = f"  store: s3://toys/here\n  tracking: sqlite:///{tmp_path}/mlflow.db\n  sources:\n"
    file.write_text(file.read_text().replace("  sources:\n", there))
    monkeypatch.setenv("COACHWORKS_CACHE", str(tmp_path / "cache"))
    with local_s3() as server:
        server.make_bucket("toys")
        server.lead_to(monkeypatch)
        yield folder, open_store("s3://toys/here")


def test_the_second_run_is_refused_and_a_killed_first_one_keeps_nobody_out(
    place: tuple[Path, Store], measured: Measured
) -> None:
    folder, store = place
    runs = [begin(folder, "run", "--json") for _ in range(2)]
    while not (ended := [run for run in runs if run.poll() is not None]):
        time.sleep(0.1)
    [refused] = ended
    _, message = refused.communicate()
    assert refused.returncode == 5, message
    assert "another run of the fleet 'toys' is in progress" in message
    assert "Traceback" not in message
    shown = json.loads(call("status", "--json", cwd=folder).stdout)
    assert shown["state"] == "running"
    first = load_run(store, shown["run"])
    assert f"run {first.id}, by " in message

    [running] = [run for run in runs if run is not refused]
    for process in [running.pid, load_run(store, first.id).pid]:
        os.killpg(process, signal.SIGKILL)  # the command, and the process that executes the run
    running.communicate()
    begun = time.monotonic()
    done = call("run", "--json", "--wait", cwd=folder, timeout=600)
    assert json.loads(done.stdout)["state"] == "succeeded", done.stderr
    assert load_run(store, first.id).state == "interrupted"
    assert json.loads(call("status", "--json", cwd=folder).stdout)["run"] != first.id
    kind = "a bucket" if store.remote else "a folder"
    measured(
        f"two `coachworks run` at once on a store in {kind}, the first killed with SIGKILL",
        "the second is refused by name, the status of the first stays, the next run begins at once",
        f"exit status 5; interrupted; the next one took {time.monotonic() - begun:.0f} s in all",
    )


def test_a_disk_that_grows_little_by_little_is_enough_in_the_end(
    tmp_path: Path, converted: FolderStore, empty_database: Path, measured: Measured
) -> None:
    with small_disk(tmp_path / "disk", "64m") as disk:
        folder = prepare_toys(disk.path, converted, empty_database, things=6)
        used_mb = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
        stopped_at = []
        for size_kb in [int(used_mb * 1000) + extra for extra in (100, 400, 800, 1500, 4000, 10_000, 60_000)]:
            disk.remount(f"size={size_kb}k")
            done = call("run", "--json", cwd=folder)
            assert "Traceback" not in done.stdout + done.stderr
            if done.stdout and (shown := json.loads(done.stdout))["state"] == "succeeded":
                break
            assert "no space is left on its file system" in done.stdout + done.stderr
            stopped_at.append(shown["errors"][0]["step"] if done.stdout and shown["errors"] else "its record")
        assert shown["state"] == "succeeded"
        assert len(stopped_at) >= 3
        assert not list((folder / "store" / "tmp").iterdir())
        measured(
            "`coachworks run` on a file system that becomes full, a little larger each time",
            "a sentence each time, never a traceback; what is finished is kept",
            f"stopped at {', '.join(stopped_at)}; then done",
        )


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory, fabricated: Any) -> Path:
    from components.package.step import package

    folder = tmp_path_factory.mktemp("packaged")
    fleet, _, register = fabricated.fabricate(folder)
    package(fleet, [register])
    (folder / "fleet.yaml").write_text(FLEET)
    return folder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("moment", ["while it starts", "while it serves"])
def test_serve_leaves_no_process_behind(
    packaged: Path, number: signal.Signals, moment: str, measured: Measured
) -> None:
    server = begin(packaged, "serve", "--port", str(free_port()))
    process = psutil.Process(server.pid)
    while len(children := process.children(recursive=True)) < 2:
        assert server.poll() is None
        time.sleep(0.05)
    if moment == "while it serves":
        assert server.stderr is not None
        while "answers at" not in (line := server.stderr.readline()):
            assert line
        children = process.children(recursive=True)
    server.send_signal(number)
    server.communicate(timeout=60)
    _, left = psutil.wait_procs(children, timeout=30)
    assert not left
    measured(
        "`coachworks serve` is ended by SIGTERM, SIGINT, SIGHUP, SIGKILL, while it starts and while it serves",
        "no process of it is left",
        "none within 30 s",
    )
