"""Claims of a photo file: the size, the buffers and the work that its structure asks of a decoder."""

from collections.abc import Callable
from dataclasses import dataclass

from coachworks.errors import PhotoError
from coachworks.photos.formats import DAMAGED, MAX_PIXELS, Reason


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Claim of a file, read from its structure alone, before a decoder sees it.

    Attributes:
        format: One of `FORMATS`.
        width_px: Width of the pixels as stored.
        height_px: Height of the pixels as stored.
        pixel_bytes: Bytes per pixel of the decoded image, before it is converted to RGB.
        rgb_bytes: Further bytes per pixel while it is converted to RGB; 0 if it is RGB already.
        buffer_bytes: Bytes that the decoder needs beside the decoded image, such as coefficients or a strip.
        parts: What the decoder reads one by one: strips, tiles, segments, chunks, blocks, bytes between segments.
        scalable: Whether the decoder can decode fewer pixels than there are (JPEG).
    """

    format: str
    width_px: int
    height_px: int
    pixel_bytes: int
    rgb_bytes: int
    buffer_bytes: int = 0
    parts: int = 1
    scalable: bool = False

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.width_px * self.height_px


Reader = Callable[[bytes], Claim]


def at_most(limit: int, things: str, number: int) -> None:
    """Raise if the file has more of something than a decoder can be asked to read.

    Raises:
        PhotoError: `number` is over `limit`.
    """
    if number > limit:
        raise PhotoError(
            Reason.TOO_COSTLY,
            f"the file must have at most {limit} {things}, or it takes too long to decode; it has {number}. "
            "Save it again as JPEG or PNG.",
        )


def check_pixels(width_px: int, height_px: int) -> None:
    """Raise if there are more pixels than a photo may have.

    Raises:
        PhotoError: there are more than `MAX_PIXELS`.
    """
    pixels = width_px * height_px
    if pixels > MAX_PIXELS:
        raise PhotoError(Reason.TOO_MANY_PIXELS, f"the photo must have at most {MAX_PIXELS} pixels; it has {pixels}")


def damaged() -> PhotoError:
    """Return the error for a file whose structure cannot be read."""
    return PhotoError(Reason.TRUNCATED, DAMAGED)
