"""Structure of TIFF files: the first directory, its strips or tiles, and JPEG streams within them."""

from collections.abc import Sequence

from coachworks.photos.claim import Claim, at_most, check_pixels, damaged
from coachworks.photos.directory import MAX_TIFF_NUMBERS, Directory, byte_order
from coachworks.photos.formats import MAX_BYTES
from coachworks.photos.jpeg import Jpeg
from coachworks.photos.png import MAX_UNPACKED_BYTES

MAX_PARTS = 70_000  # strips or tiles: one row per strip is usual for scanners; Pillow takes 5 µs for each
MAX_READ_BYTES = 2 * MAX_BYTES  # of all strips together: strips that share their bytes are read again each time
_MAX_SEGMENTS = 40_000  # of the JPEG streams in all strips or tiles
MAX_PART_BYTES = 256 * 1024 * 1024  # of one tile as the decoder unpacks it

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _PLANES = 256, 257, 258, 259, 262, 277, 284
_STRIP_OFFSETS, _STRIP_ROWS, _STRIP_BYTES = 273, 278, 279
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325
_PLACES = (_STRIP_OFFSETS, _STRIP_BYTES, _TILE_OFFSETS, _TILE_BYTES)
_LAYOUT = {
    _WIDTH,
    _HEIGHT,
    _BITS,
    _COMPRESSION,
    _PHOTOMETRIC,
    _SAMPLES,
    _PLANES,
    _STRIP_ROWS,
    _TILE_WIDTH,
    _TILE_HEIGHT,
    *_PLACES,
}
_RAW, _OLD_JPEG, _JPEG = 1, 6, 7
_SEPARATE = 2
_RGB = 2


def claim(data: bytes) -> Claim:
    """Return the claim of a TIFF file.

    Raises:
        PhotoError: it asks more of a decoder than an honest photo, or has no directory.
    """
    order = byte_order(data)
    big = data[2:4] in {b"\0+", b"+\0"}
    start = int.from_bytes(data[8:16] if big else data[4:8], "big" if order == ">" else "little")
    tags = Directory(data, start, order, big=big)
    width, height = tags.integer(_WIDTH, 0), tags.integer(_HEIGHT, 0)
    if width < 1 or height < 1 or tags.repeated & _LAYOUT:
        raise damaged()
    check_pixels(width, height)
    at_most(MAX_TIFF_NUMBERS, "numbers in its tags", tags.numbers(without=_PLACES))
    tags.check_exif()
    bits = tags.integers(_BITS, most=64) or (1,)
    samples = max(1, tags.integer(_SAMPLES, 1))
    pixel_bits = sum(bits) if len(bits) > 1 else bits[0] * samples
    at_most(MAX_UNPACKED_BYTES, "bytes of pixels", width * height * pixel_bits // 8)
    parts, part_bytes = _read_parts(data, tags, width, height, pixel_bits, samples)
    pixel_bytes = 1 if pixel_bits <= 8 else 2 if (pixel_bits, samples) == (16, 1) else 4
    return Claim(
        format="TIFF",
        width_px=width,
        height_px=height,
        pixel_bytes=pixel_bytes,
        rgb_bytes=_rgb_bytes(samples, pixel_bits, tags.integer(_PHOTOMETRIC, 0)),
        parts=parts,
        buffer_bytes=max(part_bytes, width * height * pixel_bytes),  # or a copy, to turn it
    )


def _rgb_bytes(samples: int, pixel_bits: int, photometric: int) -> int:
    if samples == 1:
        return 4 if pixel_bits <= 8 else 5
    if samples == 2:
        return 9
    return 0 if (samples, photometric) == (3, _RGB) else 5


def _read_parts(
    data: bytes, tags: Directory, width: int, height: int, pixel_bits: int, samples: int
) -> tuple[int, int]:
    """Bound the work of reading the strips or tiles; return their number, and the bytes of a buffer for any of them."""
    tiled = not tags.count(_STRIP_OFFSETS)
    across = tags.integer(_TILE_WIDTH, width) if tiled else width
    down = tags.integer(_TILE_HEIGHT, height) if tiled else min(height, tags.integer(_STRIP_ROWS, height))
    if across < 1 or down < 1:
        raise damaged()
    things = "tiles" if tiled else "strips"
    places = (_TILE_OFFSETS, _TILE_BYTES) if tiled else (_STRIP_OFFSETS, _STRIP_BYTES)
    planes = samples if tags.integer(_PLANES, 1) == _SEPARATE else 1
    needed = -(-width // across) * -(-height // down) * planes
    number = max(map(tags.count, places))
    at_most(MAX_PARTS, things, max(number, needed))
    part_bytes = across * down * pixel_bits // 8
    at_most(MAX_PART_BYTES if tiled else MAX_UNPACKED_BYTES, f"bytes in one of its {things}", part_bytes)
    compression = tags.integer(_COMPRESSION, _RAW)
    offsets, lengths = (tags.integers(tag, most=MAX_PARTS) for tag in places)
    if compression == _RAW:  # Pillow decodes more strips than are needed, over the same pixels
        at_most(needed, f"{things} for its size", len(offsets))
        return needed, 0
    # A decoder guesses the lengths that are missing.
    lengths = [length or len(data) for length in (*lengths, *[0] * (len(offsets) - len(lengths)))][: len(offsets)]
    _check_lengths(data, offsets, lengths)
    if compression in {_OLD_JPEG, _JPEG}:
        part_bytes += _read_streams(data, offsets, lengths)
    return max(number, needed), part_bytes


def _check_lengths(data: bytes, offsets: Sequence[int], lengths: Sequence[int]) -> None:
    import numpy as np

    left = np.maximum(len(data) - np.asarray(offsets, np.float64), 0)
    at_most(MAX_READ_BYTES, "bytes in its strips or tiles", int(np.minimum(left, lengths).sum()))


def _read_streams(data: bytes, offsets: Sequence[int], lengths: Sequence[int]) -> int:
    """Bound the work of the JPEG streams in strips or tiles; return the bytes of the largest one's coefficients."""
    streams = Jpeg(most_segments=_MAX_SEGMENTS)
    largest = 0
    for offset, length in zip(offsets, lengths, strict=True):
        streams.read(data, offset, min(len(data), offset + length))
        largest = max(largest, streams.coefficient_bytes)
    return largest
