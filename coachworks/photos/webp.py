"""Structure of WebP files: chunks."""

import struct

from coachworks.photos.claim import Claim, at_most, damaged
from coachworks.photos.directory import check_exif

MAX_CHUNKS = 10_000  # a photo has up to five; an animation one per frame, of which the first is decoded

_CANVASES_BYTES, _FRAME_BYTES = 8, 4  # per pixel: two canvases, and the frame that is copied from them


def claim(data: bytes) -> Claim:
    """Return the claim of a WebP file.

    Raises:
        PhotoError: it asks more of a decoder than an honest photo, or has no header.
    """
    if len(data) < 25:
        raise damaged()
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 " and len(data) >= 30:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise damaged()
    _read_chunks(data)
    transparent = (kind == b"VP8X" and data[20] & 0x10) or (kind == b"VP8L" and data[24] & 0x10)
    return Claim(
        format="WEBP",
        width_px=width,
        height_px=height,
        pixel_bytes=4,
        rgb_bytes=_CANVASES_BYTES + _FRAME_BYTES + (5 if transparent else 0),
        buffer_bytes=width * height * (_CANVASES_BYTES + (0 if kind == b"VP8 " else _FRAME_BYTES)),
    )


def _read_chunks(data: bytes) -> None:
    at, chunks = 12, 0
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        chunks += 1
        at_most(MAX_CHUNKS, "chunks", chunks)
        if name == b"EXIF":
            check_exif(data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
