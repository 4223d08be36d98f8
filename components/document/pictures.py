"""Pictures of a document: small copies in a folder beside it."""

import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coachworks.errors import NotFoundError, PhotoError
from coachworks.photos import decode_photo
from coachworks.store import Store
from coachworks.tables import read_table
from components.document.content import Picture
from components.document.phrases import percent
from components.document.run_records import SkillRecord, number, parts, words

if TYPE_CHECKING:
    from PIL import Image

FOLDER = "pictures"
_PHOTO_PX = 300  # longer side: sharp at a width of 5 cm on paper, about 15 kB
_CHART_BYTES = 250_000  # larger charts are scaled down, so that a page stays below 2 MB
_CHART_PX = 1400
_WHITE = 248  # grey level that counts as white after JPEG compression


class Pictures:
    """Writer of a document's pictures.

    Args:
        folder: Folder of the documents.
        stem: Stem of the document; part of the pictures' names.
        store: Store with the photos.
    """

    def __init__(self, folder: Path, stem: str, store: Store) -> None:
        self._folder, self._stem, self._store = folder, stem, store
        (folder / FOLDER).mkdir(exist_ok=True)

    def chart(
        self, source: Path, name: str, caption: str, width: float = 1.0, tallest: float | None = None
    ) -> Picture | None:
        """Copy a picture of a step's result; None if it cannot be read.

        Args:
            source: Path of the picture.
            name: Name of the copy within the document.
            caption: Caption.
            width: Share of the text's width.
            tallest: Maximum of height divided by width; the lower part of a taller picture is cut off. None: no limit.
        """
        suffix = source.suffix.lower()
        if source.stat().st_size <= _CHART_BYTES and tallest is None:
            file = self._name(name, suffix)
            shutil.copyfile(source, self._folder / file)
            return Picture(file, caption, width)
        try:
            image = decode_photo(source.read_bytes())
        except PhotoError:
            return None
        if tallest is not None and image.height > tallest * image.width:
            image = image.crop((0, 0, image.width, _white_line(image, round(tallest * image.width))))
        image.thumbnail((_CHART_PX, 2 * _CHART_PX))
        return Picture(self._save(image, name, quality=82), caption, width)

    def examples(self, record: SkillRecord, most: int) -> tuple[list[Picture], list[Picture]]:
        """Return photos with right and with wrong answers, at most `most` each; unreadable photos are omitted."""
        wrong = [
            (words(m, "photo_id"), words(m, "label"), words(m, "predicted"), number(m, "confidence"))
            for m in parts(record.evaluated, "mistakes")
        ]
        right = [(photo, label, label, confidence) for photo, label, confidence in _most_confident(record)]
        return self._photos(record, "right", right, most), self._photos(record, "wrong", wrong, most)

    def _photos(
        self, record: SkillRecord, name: str, answers: list[tuple[str, str, str, float | None]], most: int
    ) -> list[Picture]:
        pictures: list[Picture] = []
        for photo_id, label, predicted, share in answers:
            if len(pictures) == most:
                break
            image = self._photo(record.fleet.tables.uri(photo_id))
            if image is None:
                continue
            confidence = "" if share is None else f" ({percent(share)})"
            caption = f"{label}{confidence}" if label == predicted else f"{predicted}{confidence}; correct: {label}"
            pictures.append(Picture(self._save(image, f"{name}-{len(pictures) + 1}", quality=78), caption))
        return pictures

    def _photo(self, uri: str | None) -> "Image.Image | None":
        if uri is None:
            return None
        try:
            image = decode_photo(self._store.read(uri), at_least_px=_PHOTO_PX)
        except (NotFoundError, PhotoError):
            return None
        image.thumbnail((_PHOTO_PX, _PHOTO_PX))
        return image

    def _save(self, image: "Image.Image", name: str, *, quality: int) -> str:
        file = self._name(name, ".jpg")
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True)
        (self._folder / file).write_bytes(buffer.getvalue())
        return file

    def _name(self, name: str, suffix: str) -> str:
        return f"{FOLDER}/{self._stem}-{name}{suffix}"


def _white_line(image: "Image.Image", height: int) -> int:
    """Return the lowest white line above `height`, in pixels from the top, as a place to cut; else `height`."""
    white = np.flatnonzero(np.asarray(image.convert("L"))[:height].min(axis=1) >= _WHITE)
    return int(white[-1]) + 1 if len(white) else height


def _most_confident(record: SkillRecord) -> list[tuple[str, str, float | None]]:
    """Return photos with right answers: the most confident of each label, then the second of each, and so on."""
    path = record.evaluation_file("predictions.parquet")
    if path is None:
        return []
    table = read_table(path)
    right = table[table["label"] == table["predicted"]]
    right = right.sort_values(["confidence", "photo_id"], ascending=[False, True])
    right = right.assign(turn=right.groupby("label").cumcount()).sort_values(["turn", "label", "photo_id"])
    rows = right[["photo_id", "label", "confidence"]].itertuples(index=False)
    return [(str(photo), str(label), float(confidence)) for photo, label, confidence in rows]
