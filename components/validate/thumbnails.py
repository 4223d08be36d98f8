"""Thumbnails: small pictures inside the page."""

import base64
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

_SIDE_PX = 160
_QUALITY = 72
_MOST = 300  # about 6 kB each: the page stays below some 2 MB


class Thumbnails:
    """Draws photos small, each once, and stops before the page gets too large."""

    def __init__(self, read: "Callable[[str], Image.Image | None]", most: int = _MOST) -> None:
        self._read, self._most = read, most
        self._drawn: dict[str, str | None] = {}
        self._handed_out = 0

    def uri(self, photo_id: str) -> str | None:
        """A `data:` address of the photo's thumbnail; None where it cannot be read or the page is full."""
        if self._handed_out >= self._most:
            return None
        if photo_id not in self._drawn:
            image = self._read(photo_id)
            self._drawn[photo_id] = None if image is None else _encode(image)
        if self._drawn[photo_id] is not None:
            self._handed_out += 1
        return self._drawn[photo_id]


def _encode(image: "Image.Image") -> str:
    small = image.copy()
    small.thumbnail((_SIDE_PX, _SIDE_PX))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
