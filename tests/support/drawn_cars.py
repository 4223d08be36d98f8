"""Drawn photos of cars in a store, as ingest lists them, and pictures that steps draw of them."""

import hashlib
import io
import uuid
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from coachworks.photos import photo_key
from coachworks.store import FolderStore


def draw(rng: np.random.Generator, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Draw a car on a road, in its own colour."""
    sky, body = (tuple(int(c) for c in rng.integers(low, 255, 3)) for low in (160, 30))
    image = Image.new("RGB", size, sky)
    pen = ImageDraw.Draw(image)
    w, h = size
    pen.rectangle((0, h * 0.7, w, h), fill=(96, 98, 102))
    x = int(rng.integers(10, w // 4))
    pen.rounded_rectangle((x, h * 0.45, x + w * 0.6, h * 0.72), 14, fill=body)
    pen.polygon(
        [(x + w * 0.12, h * 0.46), (x + w * 0.2, h * 0.3), (x + w * 0.42, h * 0.3), (x + w * 0.5, h * 0.46)], fill=body
    )
    for wheel in (0.13, 0.46):
        pen.ellipse((x + w * (wheel - 0.06), h * 0.64, x + w * (wheel + 0.06), h * 0.8), fill=(25, 25, 28))
    return image


def put_photos(
    store: FolderStore, rng: np.random.Generator, per_split: tuple[int, int, int], sources: tuple[str, ...]
) -> pd.DataFrame:
    rows = []
    for split, number in zip(("train", "validation", "test"), per_split, strict=True):
        for index in range(number):
            buffer = io.BytesIO()
            draw(rng).save(buffer, "JPEG", quality=80)
            data = buffer.getvalue()
            photo_id = hashlib.sha256(data).hexdigest()
            store.write(photo_key(photo_id, "jpg"), data)
            rows.append(
                {
                    "photo_id": photo_id,
                    "uri": photo_key(photo_id, "jpg"),
                    "filename": f"{split}/{index}.jpg",
                    "source": sources[index % len(sources)],
                    "permission": "CC-BY 4.0" if index % 2 else None,
                    "set_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{split}{index // 2}")),
                    "split": split,
                    "taken_at": None if index % 5 == 0 else datetime(2026, 3, 1) + timedelta(days=index),
                    "ingested_at": datetime(2026, 11, 1),
                    "width_px": 320,
                    "height_px": 240,
                    "format": "JPEG",
                    "sharpness": 300.0,
                    "brightness": 0.5,
                    "contrast": 0.2,
                    "perceptual_hash": "0" * 16,
                }
            )
    return pd.DataFrame(rows)


def contact_sheet(catalogue: pd.DataFrame, store: FolderStore) -> Image.Image:
    sheet = Image.new("RGB", (4 * 160, 2 * 120), "white")
    for index, uri in enumerate(catalogue["uri"][:8]):
        tile = Image.open(io.BytesIO(store.read(uri))).resize((156, 116))
        sheet.paste(tile, (index % 4 * 160 + 2, index // 4 * 120 + 2))
    return sheet


def draw_calibration(path: Path) -> None:
    image = Image.new("RGB", (640, 480), "white")
    pen = ImageDraw.Draw(image)
    pen.line((60, 420, 600, 40), fill="grey", width=2)
    pen.line([(60, 420), (200, 330), (340, 230), (480, 110), (600, 50)], fill="navy", width=4)
    image.save(path)
