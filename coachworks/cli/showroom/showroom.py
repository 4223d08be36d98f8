"""Drawing the showroom: photos, their table, the fleet file, and three photos to ask about."""

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

CARS = 84  # 840 photos: enough to learn five skills from, few enough to draw and train on two cores in a few minutes
SOURCE = "showroom"
PERMISSION = "drawn by coachworks, CC0-1.0"
_EXIF_IFD, _DATE_TIME_ORIGINAL, _SOFTWARE = 0x8769, 0x9003, 0x0131
_COLUMNS = ("filename", "set_id", "source", "permission", "taken_at", *SKILLS)


@dataclass(frozen=True)
class Showroom:
    """What was drawn.

    Attributes:
        fleet: The fleet file.
        table: The table of labels.
        photos: Files among the photos, the two that are no use included.
        sets: Cars.
        unseen: Photos to ask about, and what is true of each, by skill.
        drawn: False where the folder held a showroom already, which was left as it is.
    """

    fleet: Path
    table: Path
    photos: int
    sets: int
    unseen: Mapping[Path, Mapping[str, str]]
    drawn: bool


def draw_showroom(folder: Path, *, cars: int = CARS, seed: int = 0, progress: Progress = SILENT) -> Showroom:
    """Draw a showroom into `folder`: `photos/`, `photos.csv`, `fleet.yaml` and `unseen/`.

    A folder that holds a fleet file already is left as it is, so that nobody's changes are lost; an interrupted
    drawing begins anew. Equal seeds draw equal photos.

    Args:
        folder: Where; it is made if it is not there.
        cars: How many cars to draw, ten photos each.
        seed: Seed of everything that chance decides.
        progress: Where to report to.
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
    rows = [_row(photo, photo.filename) for photo in planned] + _no_use(photos, planned)
    table.write_text(_csv(rows), "utf-8")
    counts = {skill: Counter(row[skill] for row in rows if row[skill]) for skill in SKILLS}
    half_written = fleet.with_suffix(".tmp")
    half_written.write_text(fleet_text(counts), "utf-8")
    half_written.replace(fleet)  # last: a folder with a fleet file is a whole showroom
    return Showroom(fleet, table, len(rows), cars, answers, drawn=True)


def _jpeg(photo: PlannedPhoto) -> bytes:
    image = take(photo.shot, photo.car, random.Random(photo.seed))  # noqa: S311 — chance, not secrecy
    exif = Image.Exif()
    exif[_SOFTWARE] = "coachworks showroom"
    exif.get_ifd(_EXIF_IFD)[_DATE_TIME_ORIGINAL] = photo.taken_at.strftime("%Y:%m:%d %H:%M:%S")
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88, exif=exif)
    return buffer.getvalue()


def _no_use(photos: Path, planned: list[PlannedPhoto]) -> list[dict[str, str]]:
    """Two files such as every collection has: one that broke off while it was copied, and one that is there twice."""
    broken, twin = planned[len(planned) // 2], planned[-1]
    broken_off = (photos / broken.filename).read_bytes()
    (photos / "broken-off.jpg").write_bytes(broken_off[: len(broken_off) // 3])
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
