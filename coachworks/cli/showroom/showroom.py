"""The showroom as files: photos, their table, the fleet file, and three photos to classify."""

import csv
import io
import random
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from coachworks.cli.showroom.fleet_text import fleet_text
from coachworks.cli.showroom.photographer import take
from coachworks.cli.showroom.plan import SKILLS, PlannedPhoto, plan_photos, plan_unseen
from coachworks.progress import SILENT, Progress

CARS = 84  # 840 photos: enough to train five skills, few enough to draw and train on two cores in a few minutes
SOURCE = "showroom"
PERMISSION = "drawn by coachworks, CC0-1.0"
_EXIF_IFD, _DATE_TIME_ORIGINAL, _SOFTWARE = 0x8769, 0x9003, 0x0131
_COLUMNS = ("filename", "set_id", "source", "permission", "taken_at", *SKILLS)


@dataclass(frozen=True)
class Showroom:
    """Files of a showroom.

    Attributes:
        fleet: The fleet file.
        table: The table of labels.
        photos: Files in the folder of photos, the broken and the duplicate one included.
        sets: Cars.
        unseen: Photos to classify, and the true label of each, by skill.
        drawn: False where the folder held a showroom already, which was left unchanged.
    """

    fleet: Path
    table: Path
    photos: int
    sets: int
    unseen: Mapping[Path, Mapping[str, str]]
    drawn: bool


def draw_showroom(folder: Path, *, cars: int = CARS, seed: int = 0, progress: Progress = SILENT) -> Showroom:
    """Draw a showroom into `folder`: `photos/`, `photos.csv`, `fleet.yaml` and `unseen/`.

    A folder with a fleet file is left unchanged, so that a person's changes are not lost; an interrupted drawing
    starts over. Equal seeds draw equal photos.

    Args:
        folder: The folder; created where it does not exist.
        cars: Number of cars to draw, ten photos each.
        seed: Seed of all random choices.
        progress: Receives the number of drawn photos.
    """
    fleet, table, photos, unseen = (folder / name for name in ("fleet.yaml", "photos.csv", "photos", "unseen"))
    asked = list(plan_unseen(seed))
    answers = {unseen / photo.filename: {k: v for k, v in photo.labels.items() if v} for photo in asked}
    if fleet.exists():
        files = sum(1 for path in photos.glob("*.jpg"))
        return Showroom(fleet, table, files, cars, answers, drawn=False)
    planned = list(plan_photos(cars, seed))
    for place in (photos, unseen):
        place.mkdir(parents=True, exist_ok=True)
    with progress.task("draw", total=len(planned) + len(asked), unit="photos") as task:
        for photo in planned:
            (photos / photo.filename).write_bytes(_jpeg(photo))
            task.advance()
        for photo in asked:
            (unseen / photo.filename).write_bytes(_jpeg(photo))
            task.advance()
    rows = [_row(photo, photo.filename) for photo in planned] + _flawed(photos, planned)
    table.write_text(_csv(rows), "utf-8")
    counts = {skill: Counter(row[skill] for row in rows if row[skill]) for skill in SKILLS}
    half_written = fleet.with_suffix(".tmp")
    half_written.write_text(fleet_text(counts), "utf-8")
    half_written.replace(fleet)  # last: a folder with a fleet file is a complete showroom
    return Showroom(fleet, table, len(rows), cars, answers, drawn=True)


def _jpeg(photo: PlannedPhoto) -> bytes:
    image = take(photo.shot, photo.car, random.Random(photo.seed))  # noqa: S311 — not for secrets
    exif = Image.Exif()
    exif[_SOFTWARE] = "coachworks showroom"
    exif.get_ifd(_EXIF_IFD)[_DATE_TIME_ORIGINAL] = photo.taken_at.strftime("%Y:%m:%d %H:%M:%S")
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88, exif=exif)
    return buffer.getvalue()


def _flawed(photos: Path, planned: list[PlannedPhoto]) -> list[dict[str, str]]:
    """Write two flawed files such as every collection has: a truncated copy and a duplicate. Return their rows."""
    broken, twin = planned[len(planned) // 2], planned[-1]
    truncated = (photos / broken.filename).read_bytes()
    (photos / "broken-off.jpg").write_bytes(truncated[: len(truncated) // 3])
    shutil.copyfile(photos / twin.filename, photos / "there-twice.jpg")
    return [_row(broken, "broken-off.jpg"), _row(twin, "there-twice.jpg")]


def _row(photo: PlannedPhoto, filename: str) -> dict[str, str]:
    return {
        "filename": filename,
        "set_id": photo.set_id,
        "source": SOURCE,
        "permission": PERMISSION,
        "taken_at": photo.taken_at.isoformat(sep=" "),
        **photo.labels,
    }


def _csv(rows: Iterable[Mapping[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
