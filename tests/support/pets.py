"""A folder of photos with a sub-folder per label, and tables of labels."""

import csv
from pathlib import Path

from PIL import Image


def draw_pets(folder: Path) -> Path:
    """Draw twelve photos in two folders, `cat` (8) and `dog` (4)."""
    for index in range(12):
        path = folder / ("cat" if index < 8 else "dog") / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (index, 0, 0)).save(path)
    return folder


def names(photos: Path) -> list[str]:
    """Return the photos' paths below the folder."""
    return sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))


def write_table(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write a table as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
