"""Decoding of photos to upright RGB, with their size, format and date."""

import io
import re
import warnings
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from coachworks.errors import PhotoError
from coachworks.photos.claim import damaged
from coachworks.photos.cost import claim_of, cost_of
from coachworks.photos.formats import (
    DAMAGED,
    EXTENSIONS,
    FORMATS,
    MAX_PIXELS,
    LargePhotoError,
    Reason,
    unidentified,
)

if TYPE_CHECKING:
    from PIL import Image

_JPEGS = {"JPEG", "MPO"}  # MPO: a JPEG followed by further images, which many phones save as .jpg
_EXIF_ORIENTATION, _EXIF_IFD, _EXIF_DATE_TIME_ORIGINAL = 0x0112, 0x8769, 0x9003


@dataclass(frozen=True)
class Photo:
    """A decoded photo with the metadata of its file.

    Attributes:
        image: Pillow image of mode RGB, upright; may be smaller than in the file, see `read_photo`.
        width_px: Width of the whole photo, upright.
        height_px: Height of the whole photo, upright.
        format: One of `FORMATS`.
        taken_at: EXIF `DateTimeOriginal`: local time of the camera; None if the file has none.
    """

    image: "Image.Image"
    width_px: int
    height_px: int
    format: str
    taken_at: datetime | None

    @property
    def extension(self) -> str:
        """Lower-case file extension of the format, without the dot."""
        return EXTENSIONS[self.format]


def decode_photo(data: bytes, *, at_least_px: int | None = None, small_only: bool = False) -> "Image.Image":
    """Decode a photo as upright RGB.

    Args:
        data: Content of an image file.
        at_least_px: Minimum length of the shorter side. A JPEG is then decoded at 1/2, 1/4 or 1/8 of its size, for
            a fraction of the cost; None decodes all pixels.
        small_only: Raise LargePhotoError for a photo whose cost is large, see `DecodeCost`.

    Returns:
        Pillow image of mode RGB, rotated by its EXIF orientation, with transparent pixels on white.

    Raises:
        PhotoError: the file is not a usable photo. The message says "the file" and quotes none of its content.
    """
    return read_photo(data, at_least_px=at_least_px, small_only=small_only).image


def read_photo(data: bytes, *, at_least_px: int | None = None, small_only: bool = False) -> Photo:
    """Decode a photo and read its size, format and date; arguments and errors as `decode_photo`.

    The whole file is read even if few pixels are needed, so that a truncated file is always detected.
    """
    from PIL import Image

    claim = claim_of(data)
    if cost_of(claim, at_least_px=at_least_px).large and small_only:
        raise LargePhotoError(Reason.TOO_COSTLY, "the photo must be a small one; it is large")
    image = _open(data)
    if image.format in _JPEGS and _is_zero_filled(data):
        raise PhotoError(Reason.TRUNCATED, DAMAGED)
    width, height = image.size
    if width * height > claim.pixels:  # the decoder reads another size than the bounds were checked for
        raise damaged()
    try:
        if at_least_px is not None and image.format in _JPEGS:
            image.draft("RGB", (at_least_px, at_least_px))
        image.load()
        orientation, taken_at = _exif(image)
        rgb = _to_rgb(image)
    except MemoryError:  # this file may be sound: a decoder process with more memory may read it
        raise
    except Exception as err:  # as in _open
        raise PhotoError(Reason.TRUNCATED, DAMAGED) from err
    file_format = claim.format
    del image  # its memory is needed to turn the photo
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(orientation)
    if turn is not None:
        rgb = rgb.transpose(turn)
    if orientation >= 5:
        width, height = height, width
    return Photo(image=rgb, width_px=width, height_px=height, format=file_format, taken_at=taken_at)


def _open(data: bytes) -> "Image.Image":
    from PIL import Image, UnidentifiedImageError

    _silence_pillow()
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as err:
        raise PhotoError(Reason.TOO_MANY_PIXELS, f"the photo must have at most {MAX_PIXELS} pixels") from err
    except UnidentifiedImageError as err:
        raise unidentified(data[:64]) from err
    except MemoryError:
        raise
    except Exception as err:  # Pillow's parsers raise nearly anything on hostile headers
        raise PhotoError(Reason.TRUNCATED, DAMAGED) from err


def _is_zero_filled(data: bytes) -> bool:
    """Return whether a JPEG ends in zeros instead of its last scan, as an interrupted copy leaves it.

    Pillow decodes such a file without an error, with grey areas. Zeros alone do not show it, because some cameras pad
    their files; but an end-of-image marker (FFD9) must follow the last start-of-scan marker (FFDA), and neither can
    occur within a scan.
    """
    return data.endswith(b"\0" * 16) and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")


def _silence_pillow() -> None:
    """Ignore Pillow's warnings about metadata and sizes: real problems are raised as PhotoError.

    `warnings.catch_warnings` cannot be used: it is not thread-safe, and several threads decode.
    """
    silenced = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
    if silenced not in warnings.filters:
        warnings.filterwarnings("ignore", module=r"PIL\.")


def _exif(image: "Image.Image") -> tuple[int, datetime | None]:
    """Return EXIF orientation (1: upright) and `DateTimeOriginal`; damaged EXIF counts as none."""
    try:
        exif = image.getexif()
        orientation = exif.get(_EXIF_ORIENTATION, 1)
        written = exif.get_ifd(_EXIF_IFD).get(_EXIF_DATE_TIME_ORIGINAL)
    except MemoryError:
        raise
    except Exception:  # untrusted metadata; the pixels are fine
        return 1, None
    return orientation if isinstance(orientation, int) else 1, exif_date(written)


def exif_date(written: object) -> datetime | None:
    """Parse an EXIF date such as `2024:05:01 12:30:00`; return None for anything else, such as a clock never set.

    >>> exif_date("2024:05:01 12:30:00")
    datetime.datetime(2024, 5, 1, 12, 30)
    >>> exif_date("0000:00:00 00:00:00")
    """
    if not isinstance(written, str):
        return None
    try:
        return datetime.strptime(written.strip(" \0"), "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None


def _to_rgb(image: "Image.Image") -> "Image.Image":
    from PIL import Image

    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in {"I;16", "I;16B", "I;16L", "I"}:  # 16-bit grey: Pillow clips instead of scaling
        image = image.point(lambda value: value / 257).convert("L")
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        clear = image if image.mode == "RGBA" else image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(clear, mask=clear.getchannel("A"))  # `alpha_composite` would take twice the memory
        return white
    return image.convert("RGB")
