"""Ingest killed with SIGKILL and run again: nothing is lost, nothing is doubled."""

import json
import os
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_fleets import small_fleet

from coachworks.fleet.model import Fleet
from coachworks.results import latest
from coachworks.store import FolderStore
from components.ingest import photo_index
from components.ingest.step import ingest

PHOTOS = 40


def ingest_and_die(fleet: Fleet, key: str, number: int, when: str) -> None:
    """Ingest; kill this process just before or just after the n-th time that something is published under a key.

    All that the store publishes goes through `os.link` (photos), `Path.replace` (other objects) and `Path.rename`
    (results).
    """
    photo_index._PART_ENTRIES, photo_index._PART_SECONDS = 8, 1e9  # small parts: more moments at which to be killed
    seen = 0

    def deadly(publish: Callable[..., Any]) -> Callable[..., Any]:
        def publish_or_die(source: Any, target: Any) -> Any:
            nonlocal seen
            hit = f"/store-killed/{key}" in Path(target).as_posix()
            seen += hit
            die = hit and seen == number
            if die and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            published = publish(source, target)
            if die:
                os.kill(os.getpid(), signal.SIGKILL)
            return published

        return publish_or_die

    Path.replace, Path.rename, os.link = deadly(Path.replace), deadly(Path.rename), deadly(os.link)
    ingest(fleet)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """A folder in which every seventh photo is a copy and every ninth is broken."""
    folder = tmp_path_factory.mktemp("killed") / "photos"
    rng = np.random.default_rng(0)
    for i in range(PHOTOS):
        path = folder / ("cat" if i % 2 else "dog") / f"{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if i % 9 == 8:
            path.write_bytes(b"\x89PNG\r\n\x1a\n broken")
        elif i % 7 == 6:
            path.write_bytes((folder / "dog" / "000.png").read_bytes())
        else:
            Image.fromarray(rng.integers(0, 256, (80, 100, 3), dtype=np.uint8)).save(path, compress_level=1)
    return folder


def fleet_at(photos: Path, store: Path) -> Fleet:
    return small_fleet({"animal": {"labels": ["cat", "dog"]}}, store=str(store), sources=[{"photos": str(photos)}])


def child(fleet: Fleet, key: str = "", number: int = 0, when: str = "never") -> ForkProcess:
    """Start a forked process, which need not import the libraries again."""
    process = get_context("fork").Process(target=ingest_and_die, args=(fleet, key, number, when))
    process.start()
    return process


def exit_code(process: ForkProcess) -> int | None:
    process.join(60)
    return process.exitcode


def state(fleet: Fleet, tables) -> str:
    """Return the outcome of a run: tables without the time of ingestion, rejections, report, the stored photos."""
    result = ingest(fleet)
    store = FolderStore(Path(fleet.spec.store))
    assert latest(store, "ingest") == result.key
    read = tables(result)
    frames = [
        getattr(read, name).drop(columns="ingested_at", errors="ignore").to_dict("records")
        for name in ("catalogue", "votes", "labels")
    ]
    stored = {key: store.read(key) for key in store.list("photos")}
    return str((frames, read.rejected, result.report, result.key, sorted(stored.items())))


@pytest.fixture(scope="module")
def undisturbed(photos, tables, tmp_path_factory) -> str:
    return state(fleet_at(photos, tmp_path_factory.mktemp("undisturbed") / "store"), tables)


@pytest.mark.parametrize(
    ("key", "number", "when"),
    [
        pytest.param("photos/", 1, "before", id="before the first photo"),
        pytest.param("photos/", 20, "after", id="after twenty photos"),
        pytest.param("index/photos/", 1, "before", id="before the index begins"),
        pytest.param("index/files/", 1, "before", id="between the two halves of an index part"),
        pytest.param("index/files/", 3, "after", id="after some parts of the index"),
        pytest.param("results/ingest/", 1, "before", id="before the result is published"),
        pytest.param("results/ingest/", 1, "after", id="after the result is published"),
        pytest.param("latest/", 1, "after", id="at the very end"),
    ],
)
def test_killed_at_any_moment_and_run_again_it_ends_as_if_undisturbed(
    key, number, when, photos, undisturbed, tables, tmp_path
):
    fleet = fleet_at(photos, tmp_path / "store-killed")
    assert exit_code(child(fleet, key, number, when)) == -signal.SIGKILL
    assert state(fleet, tables) == undisturbed
    FolderStore(tmp_path / "store-killed").sweep()
    assert list((tmp_path / "store-killed" / "tmp").iterdir()) == []


def test_killed_from_outside_again_and_again_it_gets_further_each_time(photos, undisturbed, tables, tmp_path):
    fleet = fleet_at(photos, tmp_path / "store-killed")
    store = FolderStore(tmp_path / "store-killed")
    for aim in (5, 15, 25):
        process = child(fleet)
        deadline = time.monotonic() + 60
        while process.is_alive() and len(list(store.list("photos"))) < aim:
            assert time.monotonic() < deadline, "the child hangs"
            time.sleep(0.001)
        process.kill()
        process.join()
    assert state(fleet, tables) == undisturbed


def test_what_a_killed_run_had_indexed_is_not_read_again(photos, tables, tmp_path):
    fleet = fleet_at(photos, tmp_path / "store-killed")
    assert exit_code(child(fleet, "index/files/", 2, "after")) == -signal.SIGKILL
    store = FolderStore(tmp_path / "store-killed")
    before = set(store.list("index/files"))
    ingest(fleet)
    added = [entry for key in set(store.list("index/files")) - before for entry in json.loads(store.read(key))]
    assert len(added) == PHOTOS - 16
