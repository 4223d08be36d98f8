"""A small fleet on drawn photos, run once through the real pipeline for all tests that look at the outcome."""

import csv
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

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
    """Photos of coloured shapes, three per thing, with their rows for the table."""
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
    """The command, as a person calls it."""
    command = [sys.executable, "-m", "coachworks.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, timeout=timeout)


@dataclass
class Toys:
    folder: Path
    done: subprocess.CompletedProcess[str]

    @property
    def table(self) -> dict[str, Any]:
        return json.loads(self.done.stdout)


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Toys:
    """The small fleet after its first run."""
    folder = tmp_path_factory.mktemp("toys")
    write_fleet(folder, draw_toys(folder, 36))
    return Toys(folder, call("run", "--json", cwd=folder))


@pytest.fixture
def same_toys(tmp_path: Path) -> Path:
    """The file of the same small fleet, before any run."""
    return write_fleet(tmp_path, draw_toys(tmp_path, 36))


@pytest.fixture(scope="session")
def run_coachworks() -> Any:
    return call


@pytest.fixture
def more_toys() -> Any:
    """Add photos of further things to a fleet's folder."""

    def add(folder: Path, things: int) -> None:
        first = len({name.name[:8] for name in (folder / "photos").iterdir()})
        rows = list(csv.DictReader((folder / "photos.csv").open()))
        write_fleet(folder, [*rows, *draw_toys(folder, things, first=first)])

    return add
