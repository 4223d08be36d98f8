"""A small fleet with drawn photos, run once through the real pipeline for all tests of its outcome."""

import csv
import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageDraw

from coachworks.fleet.reader import read_fleet
from coachworks.store import FolderStore, process_alive
from coachworks.tracking import tracking_of

COLOURS = {"red": (200, 40, 40), "green": (40, 160, 60), "blue": (40, 60, 200)}
SHAPES = ("disc", "square")

FLEET = """\
apiVersion: coachworks.dev/v1
kind: Fleet
metadata:
  name: toys
spec:
  sources:
    - {photos: ./photos, table: ./photos.csv, permission: drawn for tests}
  augment: {views: 1}
  skills:
    colour:
      question: Which colour has the thing?
      labels: [red, green, blue]
      gates: {minBalancedAccuracy: 0.5}
    shape:
      labels: [disc, square]
      gates: {minBalancedAccuracy: 0.5}
    hopeless:
      question: Is the photo's number even?
      labels: [even, odd]
      gates: {minPhotosPerLabel: 500}
"""


def draw_toys(folder: Path, things: int, *, first: int = 0) -> list[dict[str, str]]:
    """Draw photos of coloured shapes, three per thing; return their rows for the table."""
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    rows = []
    for thing in range(first, first + things):
        random = np.random.default_rng(thing)
        colour, shape = list(COLOURS)[thing % 3], SHAPES[thing // 3 % 2]
        for view in range(3):
            ground = random.integers(60, 200, size=3)
            pixels = np.clip(ground + random.normal(0, 12, size=(160, 200, 3)), 0, 255).astype(np.uint8)
            image = Image.fromarray(pixels)
            x, y, r = random.integers(60, 140), random.integers(60, 100), random.integers(30, 50)
            draw = ImageDraw.Draw(image)
            box = (int(x - r), int(y - r), int(x + r), int(y + r))
            (draw.ellipse if shape == "disc" else draw.rectangle)(box, fill=COLOURS[colour])
            name = f"thing{thing:03}-{view}.jpg"
            image.save(folder / "photos" / name, quality=90)
            parity = ("even", "odd")[thing % 2]
            rows.append(
                {"filename": name, "set_id": f"thing{thing:03}", "colour": colour, "shape": shape, "hopeless": parity}
            )
    return rows


def write_fleet(folder: Path, rows: list[dict[str, str]]) -> Path:
    with (folder / "photos.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (folder / "fleet.yaml").write_text(FLEET)
    return folder / "fleet.yaml"


def call(*arguments: str | Path, cwd: Path | None = None, timeout: float = 280) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "coachworks.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, timeout=timeout)


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


def prepare_toys(folder: Path, converted: FolderStore, empty_database: Path) -> Path:
    """Write the small fleet with its photos, a converted backbone and MLflow's empty tables."""
    fleet = read_fleet(write_fleet(folder, draw_toys(folder, 36)))
    shutil.copytree(converted.root / "backbones", folder / "store" / "backbones")
    database = tracking_of(fleet).database
    assert database is not None
    database.parent.mkdir(parents=True)
    shutil.copyfile(empty_database, database)
    return folder


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
