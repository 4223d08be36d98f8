"""Shared by the benchmarks: photos with many attributes, fleets over them, and a timed run of the command."""

import csv
import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

ATTRIBUTES = {
    "colour": {"red": (200, 40, 40), "green": (40, 160, 60), "blue": (40, 60, 200), "yellow": (220, 200, 40)},
    "shape": {"disc": 0, "square": 1, "wedge": 2},
    "ground": {"dark": 60, "middle": 130, "light": 210},
    "size": {"small": 34, "large": 62},
}


def draw(folder: Path, photos: int, *, first: int = 0, side_px: int = 256) -> None:
    """Draw square photos with every attribute, two per set, and rewrite their table.

    Args:
        folder: Folder for `photos/` and `photos.csv`; rows of earlier photos are kept.
        photos: Number of photos to draw.
        first: Number of the first one.
        side_px: Length of their sides.
    """
    scale = side_px / 256
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    table = folder / "photos.csv"
    rows = list(csv.DictReader(table.open(encoding="utf-8"))) if table.exists() else []
    for number in range(first, first + photos):
        random = np.random.default_rng(number)
        chosen = {name: list(values)[random.integers(len(values))] for name, values in ATTRIBUTES.items()}
        level = ATTRIBUTES["ground"][chosen["ground"]]
        image = Image.fromarray(np.clip(random.normal(level, 14, size=(side_px, side_px, 3)), 0, 255).astype(np.uint8))
        drawn = (ATTRIBUTES["size"][chosen["size"]], random.integers(80, 176), random.integers(80, 176))
        radius, x, y = (length * scale for length in drawn)
        box = (int(x - radius), int(y - radius), int(x + radius), int(y + radius))
        fill = ATTRIBUTES["colour"][chosen["colour"]]
        pen = ImageDraw.Draw(image)
        if chosen["shape"] == "wedge":
            pen.polygon([(box[0], box[3]), (box[2], box[3]), (int(x), box[1])], fill=fill)
        else:
            (pen.ellipse if chosen["shape"] == "disc" else pen.rectangle)(box, fill=fill)
        image.save(folder / "photos" / f"{number:06}.jpg", quality=88)
        rows.append({"filename": f"{number:06}.jpg", "set_id": f"set{number // 2}", **chosen})
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["filename", "set_id", *ATTRIBUTES])
        writer.writeheader()
        writer.writerows(rows)


def write_fleet(folder: Path, name: str, skills: int, *, views: int = 1) -> Path:
    """Write a fleet of `skills` skills over the photos in `folder`, with its own store.

    Skills beyond the number of attributes repeat an attribute under another name, and so its work. Each has its own
    column of labels in the fleet's table.
    """
    attributes = list(ATTRIBUTES)
    columns = {f"{attributes[i % len(attributes)]}-{i:02}": attributes[i % len(attributes)] for i in range(skills)}
    rows = list(csv.DictReader((folder / "photos.csv").open(encoding="utf-8")))
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["filename", "set_id", *columns])
        writer.writeheader()
        for row in rows:
            labels = {column: row[attribute] for column, attribute in columns.items()}
            writer.writerow({"filename": row["filename"], "set_id": row["set_id"], **labels})
    lines = [
        "apiVersion: coachworks.dev/v1",
        "kind: Fleet",
        f"metadata: {{name: {name}}}",
        "spec:",
        f"  store: ./store-{name}",
        f"  sources: [{{photos: ./photos, table: ./{name}.csv, permission: drawn}}]",
        f"  augment: {{views: {views}}}",
        "  checks: {maxLeakingShare: 1}  # thousands of drawn photos look alike; that is not what is measured here",
        "  skills:",
    ]
    lines += [
        f"    {column}: {{labels: [{', '.join(ATTRIBUTES[attribute])}]}}" for column, attribute in columns.items()
    ]
    path = folder / f"{name}.yaml"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@dataclass(frozen=True)
class TimedRun:
    """A run of the command.

    Attributes:
        seconds: Seconds of the whole call.
        cpu_s: Seconds of processor time of all its processes.
        steps: Seconds of each step's own work.
        table: The table that the command printed.
    """

    seconds: float
    cpu_s: float
    steps: dict[str, float]
    table: dict[str, Any]


def timed_run(fleet: Path) -> TimedRun:
    """Run the pipeline with its command."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "coachworks.cli.main", "run", "--json", "-f", str(fleet)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    table = json.loads(done.stdout)
    if not table["passed"]:
        raise SystemExit(f"the run did not pass, so its times mean nothing: {table['errors'] or table['skills']}")
    store = fleet.parent / f"store-{fleet.stem}"
    progress = [json.loads(p.read_text()) for p in sorted((store / "runs" / table["run"] / "progress").glob("*.json"))]
    steps: dict[str, float] = {}
    for state in progress:
        steps[state["step"]] = steps.get(state["step"], 0.0) + state["updated_at"] - state["started_at"]
    return TimedRun(seconds, cpu_s, steps, table)
