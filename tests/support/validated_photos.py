"""Fabricated results of ingest, split and validate, from a few drawn photos."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from small_fleets import small_fleet

from coachworks.context import Context
from coachworks.digests import digest_bytes
from coachworks.fleet.model import Fleet
from coachworks.photos import photo_key
from coachworks.results import produce
from coachworks.store import FolderStore
from coachworks.tables import CATALOGUE, SPLIT_LABELS, write_table

LABELS = ("red", "green", "blue")


@dataclass(frozen=True)
class Drawn:
    """A photo in the store."""

    photo_id: str
    key: str
    label: str
    split: str


def draw(number: int, *, width: int = 200, height: int = 150) -> bytes:
    """A JPEG of some shapes, mostly of the colour `LABELS[number % 3]`."""
    rng = np.random.default_rng(number)
    image = Image.fromarray(rng.integers(90, 160, (height // 10, width // 10, 3), np.uint8)).resize((width, height))
    pen = ImageDraw.Draw(image)
    for _ in range(6):
        left, top = int(rng.integers(0, width * 2 // 3)), int(rng.integers(0, height * 2 // 3))
        pen.ellipse((left, top, left + width // 4, top + height // 4), fill=LABELS[number % 3])
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def photos(store: FolderStore, numbers: Sequence[int]) -> list[Drawn]:
    """The photos of these numbers, put into the store; of ten, seven are for training and two for the test."""
    drawn = []
    for number in numbers:
        data = draw(number)
        photo_id = digest_bytes(data)
        split = "train" if number % 10 < 7 else "validation" if number % 10 == 7 else "test"
        drawn.append(Drawn(photo_id, photo_key(photo_id, "jpg"), LABELS[number % 3], split))
        store.write(drawn[-1].key, data)
    return drawn


def validated(
    store: FolderStore,
    drawn: Sequence[Drawn],
    *,
    skills: Sequence[str] = ("colour",),
    passed: bool = True,
    boxes: Mapping[str, str] = MappingProxyType({}),
    turns: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Key of a result of validate over these photos, each with a label for every skill; boxes, turns by photo id."""
    catalogue = pd.DataFrame(
        [
            {
                **dict.fromkeys(CATALOGUE),
                "photo_id": photo.photo_id,
                "uri": photo.key,
                "filename": f"{photo.photo_id}.jpg",
                "set_id": photo.photo_id,
            }
            for photo in drawn
        ]
    )
    for column, values in (("box_xyxy", boxes), ("rotation_degrees", turns)):
        if values:
            catalogue[column] = [values.get(photo.photo_id) for photo in drawn]
    labels = pd.DataFrame(
        [
            {"photo_id": p.photo_id, "skill": skill, "label": p.label, "confidence": 1.0, "votes": 1, "agreement": 1.0,
             "split": p.split, "set_id": p.photo_id}
            for p in drawn
            for skill in skills
        ]
    )  # fmt: skip

    def ingest(folder: Path) -> dict[str, int]:
        write_table(catalogue, folder / "catalogue.parquet", CATALOGUE)
        return {"photos": len(drawn)}

    def split(folder: Path) -> dict[str, int]:
        write_table(labels, folder / "labels.parquet", SPLIT_LABELS)
        splits = labels[["photo_id", "set_id", "split"]].drop_duplicates("photo_id")
        write_table(splits, folder / "splits.parquet", dict.fromkeys(("photo_id", "set_id", "split"), "string"))
        return {"photos": len(drawn)}

    verdict = {skill: {"passed": passed, "failures": [], "warnings": []} for skill in skills}
    ids = [photo.photo_id for photo in drawn]
    taken = {"photos": ids, **({"frames": [dict(boxes), dict(turns)]} if boxes or turns else {})}
    first = produce("ingest", taken, ingest, context=Context(store), code="made up").key
    second = produce("split", {"ingest": first, "skills": [*skills]}, split, context=Context(store), code="made up").key
    report = {"skills": verdict, "findings": [], "photos": len(drawn), "expectations": 9, "near_duplicates": 0}
    return produce(
        "validate", {"split": second, "passed": passed}, lambda _: report, context=Context(store), code="made up"
    ).key


def fleet(store: FolderStore, *, skills: Sequence[str] = ("colour",), **spec: object) -> Fleet:
    """A located fleet over the store."""
    return small_fleet({skill: {"labels": [*LABELS]} for skill in skills}, store=store.uri, **spec)
