"""Thumbnails: small pictures embedded in the page."""

import base64
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from coachworks.errors import NotFoundError, PhotoError
from coachworks.photos import decode_photo
from coachworks.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

_SIDE_PX = 160
_QUALITY = 72
_MAX_THUMBNAILS = 300  # about 6 kB each, so that a page stays below about 2 MB


class Thumbnails:
    """Thumbnails of photos, each drawn once; limited in number, because they are embedded in the page."""

    def __init__(self, read: "Callable[[str], Image.Image | None]", limit: int = _MAX_THUMBNAILS) -> None:
        self._read, self._limit = read, limit
        self._drawn: dict[str, str | None] = {}
        self._used = 0

    def uri(self, photo_id: str) -> str | None:
        """Return a `data:` address of the photo's thumbnail; None if it is unreadable or the limit is reached."""
        if self._used >= self._limit:
            return None
        if photo_id not in self._drawn:
            image = self._read(photo_id)
            self._drawn[photo_id] = None if image is None else _encode(image)
        if self._drawn[photo_id] is not None:
            self._used += 1
        return self._drawn[photo_id]


def _encode(image: "Image.Image") -> str:
    small = image.copy()
    small.thumbnail((_SIDE_PX, _SIDE_PX))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def photo_reader(store: Store, catalogue: "pd.DataFrame", *, at_least_px: int) -> "Callable[[str], Image.Image | None]":
    """Return a function that reads a photo by its id, or returns None if it is missing or cannot be decoded."""
    uris = dict(zip(catalogue["photo_id"], catalogue["uri"], strict=True))

    def read(photo_id: str) -> "Image.Image | None":
        try:
            return decode_photo(store.read(uris[photo_id]), at_least_px=at_least_px)
        except (NotFoundError, PhotoError):
            return None

    return read
