"""A small fleet with drawn photos, run once through the real pipeline for all tests of its outcome."""

import csv
import inspect
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from toy_fleet import call, draw_toys, prepare_toys, write_fleet

from coachworks.store import FolderStore, process_alive


def call_here(*arguments: str | Path, cwd: Path) -> Result:
    """Run the command in this process, with `cwd` as the current folder."""
    from coachworks.cli.main import cli

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@dataclass
class Toys:
    """The small fleet after its first run.

    Attributes:
        folder: Folder of its fleet file.
        done: The run.
    """

    folder: Path
    done: subprocess.CompletedProcess[str]

    @property
    def table(self) -> dict[str, Any]:
        return json.loads(self.done.stdout)


def kill_while_it_embeds(folder: Path) -> None:
    """Start a run, and kill its two processes as soon as the step embed reports progress."""
    command = [sys.executable, "-m", "coachworks.cli.main", "run", "--json"]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 200
    while not (at_work := list((folder / "store" / "runs").glob("*/progress/embed.json"))):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    record = json.loads((at_work[0].parents[1] / "run.json").read_text())
    os.killpg(process.pid, signal.SIGKILL)
    os.killpg(record["pid"], signal.SIGKILL)
    process.wait()
    while process_alive(record["pid"]):  # not a child of this process: a kill returns before the process is gone
        time.sleep(0.01)


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory, converted: FolderStore, empty_database: Path) -> Toys:
    """The small fleet after its first run."""
    folder = prepare_toys(tmp_path_factory.mktemp("toys"), converted, empty_database)
    return Toys(folder, call("run", "--json", cwd=folder))


@pytest.fixture
def toys_folder(tmp_path: Path, converted: FolderStore, empty_database: Path) -> Path:
    """Folder of the same small fleet before its first run."""
    return prepare_toys(tmp_path, converted, empty_database)


@pytest.fixture(scope="session")
def kill_while_embedding() -> Any:
    """A function that starts a run in a folder and kills it while it embeds."""
    return kill_while_it_embeds


@pytest.fixture
def same_toys(tmp_path: Path) -> Path:
    """The file of the same small fleet, before any run."""
    return write_fleet(tmp_path, draw_toys(tmp_path, 36))


@pytest.fixture(scope="session")
def run_coachworks() -> Any:
    """A function that runs the command in a process of its own."""
    return call


@pytest.fixture(scope="session")
def coachworks_here() -> Any:
    """A function that runs the command in this process."""
    return call_here


@pytest.fixture(scope="module", autouse=True)
def quick_stacks() -> Iterator[None]:
    """Frames without source lines: KFP asks for its caller's name a hundred times while it composes a pipeline.

    For the source lines, `inspect.stack()` searches all loaded modules for each frame: seconds where many are loaded.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspect, "stack", partial(inspect.stack, 0))
        yield


@pytest.fixture
def more_toys() -> Any:
    """A function that adds photos of further things to a fleet's folder."""

    def add(folder: Path, things: int) -> None:
        first = len({name.name[:8] for name in (folder / "photos").iterdir()})
        rows = list(csv.DictReader((folder / "photos.csv").open()))
        write_fleet(folder, [*rows, *draw_toys(folder, things, first=first)])

    return add
