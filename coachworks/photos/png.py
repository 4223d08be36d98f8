"""Structure of PNG files: chunks."""

import struct

from coachworks.photos.claim import Claim, at_most, check_pixels, damaged
from coachworks.photos.directory import check_exif

# Pillow takes 5 µs per chunk; encoders write data in chunks of 4 KiB and more: 10,000 in the largest file.
MAX_CHUNKS = 20_000
MAX_COMPRESSED = 100  # chunks of compressed text or profiles, each inflated up to 1 MiB in 2 ms; usual are one or two
MAX_UNPACKED_BYTES = 512 * 1024 * 1024  # 80 megapixels of 16-bit RGB; the decoder takes 3 ns per byte

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_GREY, _PALETTE, _GREY_ALPHA, _ALPHA = 0, 3, 4, 6


def claim(data: bytes) -> Claim:
    """Return the claim of a PNG file.

    Raises:
        PhotoError: it asks more of a decoder than an honest photo, or has no header.
    """
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise damaged()
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    samples = _SAMPLES.get(colour)
    if samples is None:
        raise damaged()
    check_pixels(width, height)
    chunks, transparent = _read_chunks(data)
    transparent |= colour in {_GREY_ALPHA, _ALPHA}
    at_most(MAX_UNPACKED_BYTES, "bytes of pixels", width * height * samples * bits // 8)
    pixel_bytes = (2 if bits == 16 else 1) if colour in {_GREY, _PALETTE} else 4
    if transparent:
        rgb_bytes = 5 if colour == _ALPHA or (colour, bits) == (_GREY_ALPHA, 16) else 9  # white and mask; RGBA
    else:
        rgb_bytes = {_GREY: 5 if bits == 16 else 4, _PALETTE: 4}.get(colour, 0)
    return Claim(
        format="PNG", width_px=width, height_px=height, pixel_bytes=pixel_bytes, rgb_bytes=rgb_bytes, parts=chunks
    )


def _read_chunks(data: bytes) -> tuple[int, bool]:
    """Bound the work of reading the chunks; return their number and whether one of them makes pixels transparent."""
    at, chunks, compressed, transparent = 8, 0, 0, False
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        chunks += 1
        at_most(MAX_CHUNKS, "chunks", chunks)
        if name in {b"iCCP", b"iTXt", b"zTXt"}:
            compressed += 1
            at_most(MAX_COMPRESSED, "chunks of compressed text or profiles", compressed)
        elif name == b"eXIf":
            check_exif(data[at + 8 : at + 8 + length])
        elif name == b"tRNS":
            transparent = True
        elif name == b"IEND":
            break
        at += 12 + length
    return chunks, transparent
