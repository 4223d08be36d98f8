"""Photos: from untrusted bytes to pixels, the same way for ingest, training and serving."""

import io
import re
import warnings
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from coachworks.errors import PhotoError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})  # of most such files
MAX_PIXELS = 80_000_000  # 240 MB as RGB: beyond any camera we know, below what hurts a pod of 2 GiB
MAX_BYTES = 40 * 1024 * 1024

_EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "BMP": "bmp", "GIF": "gif", "TIFF": "tif"}
_JPEGS = {"JPEG", "MPO"}  # MPO: what many phones write into .jpg, a JPEG with further pictures behind it
_SUPPORTED_HEADS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
_EXIF_ORIENTATION, _EXIF_IFD, _EXIF_DATE_TIME_ORIGINAL = 0x0112, 0x8769, 0x9003
_DAMAGED = "the image cannot be read: it is truncated or damaged"
_CONVERT = "Convert it to JPEG or PNG."


class Reason(StrEnum):
    """Why a file is not a usable photo."""

    EMPTY = "empty"
    NOT_A_PHOTO = "not-a-photo"
    UNSUPPORTED_FORMAT = "unsupported-format"
    TRUNCATED = "truncated"
    TOO_MANY_PIXELS = "too-many-pixels"
    TOO_LARGE = "too-large"


@dataclass(frozen=True)
class Photo:
    """A decoded photo and what its file says about it.

    Attributes:
        image: Pillow image of mode RGB, upright; perhaps smaller than the file's, see `read_photo`.
        width_px: Width of the whole photo, upright.
        height_px: Height of the whole photo, upright.
        format: One of `FORMATS`.
        taken_at: EXIF `DateTimeOriginal`: local time of the camera; None where the file does not say.
    """

    image: "Image.Image"
    width_px: int
    height_px: int
    format: str
    taken_at: datetime | None

    @property
    def extension(self) -> str:
        """Lower-case file extension of the format, without the dot."""
        return _EXTENSIONS[self.format]


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
    return read_photo(data, at_least_px=at_least_px).image


def read_photo(data: bytes, *, at_least_px: int | None = None) -> Photo:
    """The photo in `data` with its size, format and date; arguments and errors as `decode_photo`.

    All of the file is read even when few pixels are asked for, so that a truncated file is always found.
    """
    from PIL import Image

    image = _open(data)
    if image.format in _JPEGS and _is_zero_filled(data):
        raise PhotoError(Reason.TRUNCATED, _DAMAGED)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise PhotoError(
            Reason.TOO_MANY_PIXELS, f"the photo must have at most {MAX_PIXELS} pixels; it has {width * height}"
        )
    try:
        if at_least_px is not None and image.format in _JPEGS:
            image.draft("RGB", (at_least_px, at_least_px))
        image.load()
        rgb = _to_rgb(image)
    except Exception as err:  # as in _open
        raise PhotoError(Reason.TRUNCATED, _DAMAGED) from err
    orientation, taken_at = _exif(image)
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
    file_format = "JPEG" if image.format in _JPEGS else str(image.format)
    return Photo(image=rgb, width_px=width, height_px=height, format=file_format, taken_at=taken_at)


def refuse_large_file(size: int, head: bytes) -> PhotoError:
    """Why a file over `MAX_BYTES` is refused, told from its first bytes: a video is no photo that is too large.

    Args:
        size: Bytes of the file.
        head: Its first bytes, 16 at least.
    """
    if has_photo_head(head):
        return PhotoError(Reason.TOO_LARGE, f"the file must have at most {MAX_BYTES} bytes; it has {size}")
    return _unidentified(head)


def _open(data: bytes) -> "Image.Image":
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise PhotoError(Reason.EMPTY, "the file is empty")
    if len(data) > MAX_BYTES:
        raise refuse_large_file(len(data), data[:64])
    _hush_pillow()
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as err:
        raise PhotoError(Reason.TOO_MANY_PIXELS, f"the photo must have at most {MAX_PIXELS} pixels") from err
    except UnidentifiedImageError as err:
        raise _unidentified(data[:64]) from err
    except Exception as err:  # Pillow's parsers raise nearly anything on hostile headers
        raise PhotoError(Reason.TRUNCATED, _DAMAGED) from err


def _is_zero_filled(data: bytes) -> bool:
    """Whether the end of a JPEG was never written: what a broken copy leaves decodes as grey, without complaint.

    Zeros alone are no sign, some cameras pad their files; but behind the start of the last scan (FFDA) there must be an
    end of image (FFD9), and neither can occur within the scan.
    """
    return data.endswith(b"\0" * 16) and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")


def _hush_pillow() -> None:
    """Keep Pillow's remarks on odd metadata and large sizes to itself: what matters is raised as PhotoError.

    `warnings.catch_warnings` is no alternative: it is not safe where several threads decode.
    """
    hush = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
    if hush not in warnings.filters:
        warnings.filterwarnings("ignore", module=r"PIL\.")


def has_photo_head(head: bytes) -> bool:
    """Return whether a file that begins with `head`, at least 12 bytes, looks like one of `FORMATS`."""
    return head.startswith(_SUPPORTED_HEADS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def _unidentified(head: bytes) -> PhotoError:
    """Why Pillow does not know the file: damaged, of another format, or no image at all."""
    if has_photo_head(head):
        return PhotoError(Reason.TRUNCATED, _DAMAGED)
    other = None
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        other = {b"avif": "AVIF", b"avis": "AVIF"}.get(brand)
        if brand in {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}:
            other = "HEIC"
    elif head.startswith((b"\x00\x00\x00\x0cJXL ", b"\xff\x0a")):
        other = "JPEG XL"
    elif head.startswith((b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51")):
        other = "JPEG 2000"
    elif head.startswith(b"8BPS"):
        other = "PSD"
    if other is None:
        return PhotoError(Reason.NOT_A_PHOTO, "the file is not an image")
    return PhotoError(
        Reason.UNSUPPORTED_FORMAT, f"the format must be one of {', '.join(FORMATS)}; got {other}. {_CONVERT}"
    )


def _exif(image: "Image.Image") -> tuple[int, datetime | None]:
    """EXIF orientation (1: upright) and `DateTimeOriginal`; damaged EXIF says nothing."""
    try:
        exif = image.getexif()
        orientation = exif.get(_EXIF_ORIENTATION, 1)
        written = exif.get_ifd(_EXIF_IFD).get(_EXIF_DATE_TIME_ORIGINAL)
    except Exception:  # metadata from outside; the pixels are fine
        return 1, None
    return orientation if isinstance(orientation, int) else 1, exif_date(written)


def exif_date(written: object) -> datetime | None:
    """The date that EXIF writes as `2024:05:01 12:30:00`; None for anything else, such as a clock never set.

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
    if image.mode in {"I;16", "I;16B", "I;16L", "I"}:  # 16-bit grey: Pillow would clip instead of scale
        image = image.point(lambda value: value / 257).convert("L")
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        clear = image if image.mode == "RGBA" else image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(clear, mask=clear.getchannel("A"))  # `alpha_composite` would take twice the memory
        return white
    return image.convert("RGB")


def photo_key(photo_id: str, extension: str) -> str:
    """Key of a photo in the store: `photos/3f/3f2a….jpg`.

    Args:
        photo_id: SHA-256 of the file, 64 hexadecimal digits.
        extension: Lower-case file extension that fits the format, without the dot.
    """
    return f"photos/{photo_id[:2]}/{photo_id}.{extension}"
