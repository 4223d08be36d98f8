"""Structure of BMP files: the header."""

import struct

from coachworks.photos.claim import Claim, at_most, check_pixels, damaged

# Pillow decodes runs in Python, at 0.1 µs per pixel; editors write runs for drawings alone.
MAX_RUN_PIXELS = 4_000_000
MAX_RUN_BYTES = 2 * 1024 * 1024
_RUNS = {1, 2}


def claim(data: bytes) -> Claim:
    """Return the claim of a BMP file.

    Raises:
        PhotoError: it asks more of a decoder than an honest photo, or has no header.
    """
    if len(data) < 34:
        raise damaged()
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    if header_bytes == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<IIHHI", data, 18)
        if height >> 24 == 0xFF:  # upside down
            height = 2**32 - height
    check_pixels(width, height)
    if compression in _RUNS:
        at_most(MAX_RUN_PIXELS, "pixels in a BMP with runs (RLE)", width * height)
        at_most(MAX_RUN_BYTES, "bytes in a BMP with runs (RLE)", len(data))
    palette = bits <= 8
    return Claim(
        format="BMP",
        width_px=width,
        height_px=height,
        pixel_bytes=1 if palette else 4,
        rgb_bytes=4 if palette else 5,
        buffer_bytes=2 * width * height if compression in _RUNS else 0,
        parts=len(data) // 2 if compression in _RUNS else 1,
    )
