"""Photos: from untrusted bytes to pixels, the same way for ingest, training and serving."""

import io
import warnings
from enum import StrEnum
from typing import TYPE_CHECKING

from coachworks.errors import PhotoError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
MAX_PIXELS = 80_000_000  # 240 MB as RGB: beyond any camera we know, below what hurts a pod of 2 GiB
MAX_BYTES = 40 * 1024 * 1024


class Reason(StrEnum):
    """Why a file is not a usable photo."""

    EMPTY = "empty"
    NOT_A_PHOTO = "not-a-photo"
    UNSUPPORTED_FORMAT = "unsupported-format"
    TRUNCATED = "truncated"
    TOO_MANY_PIXELS = "too-many-pixels"
    TOO_LARGE = "too-large"


def decode_photo(data: bytes, *, at_least_px: int | None = None) -> "Image.Image":
    """The photo in `data` as upright RGB.

    Args:
        data: Content of an image file.
        at_least_px: Decode no more than is needed for the shorter side to be at least this long. JPEG can be
            decoded at 1/2, 1/4 or 1/8 of its size for a fraction of the cost; None gives all pixels.

    Returns:
        Pillow image of mode RGB, turned as its EXIF orientation says; transparency is laid on white.

    Raises:
        PhotoError: with a `reason`; the message speaks of "the file", never of its content.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not data:
        raise PhotoError(Reason.EMPTY, "the file is empty")
    if len(data) > MAX_BYTES:
        raise PhotoError(Reason.TOO_LARGE, f"the file must have at most {MAX_BYTES} bytes; it has {len(data)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image: Image.Image = Image.open(io.BytesIO(data))
        except Image.DecompressionBombError as err:
            raise PhotoError(Reason.TOO_MANY_PIXELS, f"the photo must have at most {MAX_PIXELS} pixels") from err
        except UnidentifiedImageError as err:
            raise PhotoError(Reason.NOT_A_PHOTO, "the file is not an image") from err
        except Exception as err:  # Pillow's parsers raise nearly anything on hostile headers
            raise PhotoError(Reason.TRUNCATED, "the image cannot be read: it is truncated or damaged") from err
    if image.format not in FORMATS:
        raise PhotoError(
            Reason.UNSUPPORTED_FORMAT, f"the format must be one of {', '.join(FORMATS)}; got {image.format}"
        )
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise PhotoError(
            Reason.TOO_MANY_PIXELS, f"the photo must have at most {MAX_PIXELS} pixels; it has {width * height}"
        )
    try:
        if at_least_px is not None and image.format == "JPEG":
            image.draft("RGB", (at_least_px, at_least_px))
        image.load()
        return _to_rgb(ImageOps.exif_transpose(image))
    except Exception as err:
        raise PhotoError(Reason.TRUNCATED, "the image cannot be read: it is truncated or damaged") from err


def _to_rgb(image: "Image.Image") -> "Image.Image":
    from PIL import Image

    if image.mode == "RGB":
        return image
    if image.mode in {"I;16", "I;16B", "I;16L", "I"}:  # 16-bit grey: Pillow would clip instead of scale
        image = image.point(lambda value: value / 257).convert("L")
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def photo_key(photo_id: str, extension: str) -> str:
    """Key of a photo in the store: `photos/3f/3f2a….jpg`.

    Args:
        photo_id: SHA-256 of the file, 64 hexadecimal digits.
        extension: Lower-case file extension that fits the format, without the dot.
    """
    return f"photos/{photo_id[:2]}/{photo_id}.{extension}"
