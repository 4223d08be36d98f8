"""Structure of GIF files: the blocks before the first frame; the frames after it are not read."""

import struct

from coachworks.photos.claim import Claim, at_most, damaged

MAX_BLOCKS = 20_000  # before the first frame, 255 bytes each at most; Pillow takes 0.5 µs for each


def claim(data: bytes) -> Claim:
    """Return the claim of a GIF file.

    Raises:
        PhotoError: it asks more of a decoder than an honest photo, or has no frame.
    """
    if len(data) < 13:
        raise damaged()
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    frame, blocks = _first_frame(data, 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0))
    if frame is None:
        raise damaged()
    left, top, across, down = struct.unpack_from("<HHHH", data, frame + 1)
    return Claim(
        format="GIF",
        width_px=max(width, left + across),
        height_px=max(height, top + down),
        pixel_bytes=1,
        rgb_bytes=9,  # with transparency: RGBA, white and mask
        parts=blocks,
    )


def _first_frame(data: bytes, at: int) -> tuple[int | None, int]:
    """Return the place of the first frame behind the blocks from `at` on, None if there is none, and their number."""
    blocks = 0
    while at + 10 <= len(data):
        if data[at] == 0x2C:  # an image
            return at, blocks
        blocks += 1
        if data[at] == 0x21:  # an extension: blocks up to an empty one
            at += 2
            while at < len(data) and data[at]:
                at += 1 + data[at]
                blocks += 1
                at_most(MAX_BLOCKS, "blocks before its first frame", blocks)
        at += 1
        at_most(MAX_BLOCKS, "blocks before its first frame", blocks)
    return None, blocks
