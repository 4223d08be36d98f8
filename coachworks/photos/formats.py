"""Formats of photo files: how they are told apart, and the errors for files that are none of them."""

from enum import StrEnum

from coachworks.errors import PhotoError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
# File names that suggest a photo. Only `read_photo` decides; ingest reads files whatever their names are.
SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "BMP": "bmp", "GIF": "gif", "TIFF": "tif"}
MAX_PIXELS = 80_000_000  # 320 MB as RGB: more than any camera, and it fits into a pod of 2 GiB
MAX_BYTES = 40 * 1024 * 1024
DAMAGED = "the image cannot be read: it is truncated or damaged"

_SUPPORTED_HEADS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
_CONVERT = "Convert it to JPEG or PNG."


class LargePhotoError(PhotoError):
    """A large photo where only small ones are decoded."""


class Reason(StrEnum):
    """Reason for rejecting a file."""

    EMPTY = "empty"
    NOT_A_PHOTO = "not-a-photo"
    UNSUPPORTED_FORMAT = "unsupported-format"
    TRUNCATED = "truncated"
    TOO_MANY_PIXELS = "too-many-pixels"
    TOO_LARGE = "too-large"
    TOO_COSTLY = "too-costly"
    WRONG_BOX = "wrong-box"


def large_file_error(size: int, head: bytes) -> PhotoError:
    """Return the error for a file over `MAX_BYTES`: too large for a photo, or not a photo, such as a video.

    Args:
        size: Size of the file in bytes.
        head: First bytes of the file, at least 16.
    """
    if has_photo_head(head):
        return PhotoError(Reason.TOO_LARGE, f"the file must have at most {MAX_BYTES} bytes; it has {size}")
    return unidentified(head)


def has_photo_head(head: bytes) -> bool:
    """Return whether a file that begins with `head`, at least 12 bytes, looks like one of `FORMATS`."""
    return head.startswith(_SUPPORTED_HEADS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def unidentified(head: bytes) -> PhotoError:
    """Return the error for a file that Pillow cannot identify: damaged, of an unsupported format, or not an image."""
    if has_photo_head(head):
        return PhotoError(Reason.TRUNCATED, DAMAGED)
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


def photo_key(photo_id: str, extension: str) -> str:
    """Return the key of a photo in the store: `photos/3f/3f2a….jpg`.

    Args:
        photo_id: SHA-256 of the file, 64 hexadecimal digits.
        extension: Lower-case file extension of the format, without the dot.
    """
    return f"photos/{photo_id[:2]}/{photo_id}.{extension}"
