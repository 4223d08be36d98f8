"""A small fleet with drawn photos of coloured shapes, and the command in a process of its own."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from coachworks.fleet.reader import read_fleet
from coachworks.store import FolderStore
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


def prepare_toys(folder: Path, converted: FolderStore, empty_database: Path, things: int = 36) -> Path:
    """Write the small fleet with its photos, a converted backbone and MLflow's empty tables."""
    start_store(write_fleet(folder, draw_toys(folder, things)), converted, empty_database)
    return folder


def start_store(fleet_file: Path, converted: FolderStore, empty_database: Path) -> None:
    """Copy a converted backbone and MLflow's empty tables into the folder store beside a fleet file."""
    shutil.copytree(converted.root / "backbones", fleet_file.parent / "store" / "backbones")
    database = tracking_of(read_fleet(fleet_file)).database
    assert database is not None
    database.parent.mkdir(parents=True)
    shutil.copyfile(empty_database, database)
