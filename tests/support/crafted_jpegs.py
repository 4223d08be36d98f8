"""Crafted JPEG files."""

import struct

from crafted_parts import (
    CLAIMED,
    EOI,
    SOI,
    encoded,
    exif_values,
    jpeg_frame,
    jpeg_scan,
    jpeg_tables,
    jpeg_with,
    kind,
    repeated,
    segment,
)
from PIL import Image


@kind
def jpeg_empty_scans(size: int) -> bytes:
    head = SOI + jpeg_tables() + jpeg_frame(0xC2, 1000, 800)
    return head + repeated(jpeg_scan(first=1), size) + EOI


@kind
def jpeg_large_empty_scans(size: int) -> bytes:
    head = SOI + jpeg_tables() + jpeg_frame(0xC2, *CLAIMED)
    return head + jpeg_scan(first=1) * min(200, size // 10) + EOI


@kind
def jpeg_restarted_scans(size: int) -> bytes:
    head = SOI + jpeg_tables() + jpeg_frame(0xC2, 1000, 800) + segment(0xDD, b"\0\1")
    return head + repeated(jpeg_scan(first=1) + b"\xff\xd0\xff\xd1\xff\xd2", size) + EOI


@kind
def jpeg_refined_scans(size: int) -> bytes:
    head = SOI + jpeg_tables() + jpeg_frame(0xC2, 1000, 800) + jpeg_scan(first=1, bits=1)
    return head + repeated(jpeg_scan(first=1, bits=0x10), size) + EOI


@kind
def jpeg_refined_runs(size: int) -> bytes:
    """Refinements of one run each: the decoder looks at every coefficient of every block."""
    tables = segment(0xDB, b"\0" + b"\1" * 64) + segment(0xC4, b"\x10\1" + bytes(15) + b"\xe0")
    head = SOI + tables + jpeg_frame(0xC2, 1000, 800) + jpeg_scan(first=1, bits=1)
    return head + repeated(jpeg_scan(first=1, bits=0x10) + b"\x7f\xff\0", size) + EOI


@kind
def jpeg_coloured_scans(size: int) -> bytes:
    head = SOI + jpeg_tables() + jpeg_frame(0xC2, 1000, 800, 3, 0x22)
    return head + repeated(jpeg_scan(3, last=0), size) + EOI


@kind
def jpeg_huffman_tables(size: int) -> bytes:
    head = SOI + jpeg_tables() + jpeg_frame(0xC2, 64, 48) + jpeg_scan(first=1)
    return head + repeated(jpeg_tables([0x00, 0x10]) + jpeg_scan(first=1), size) + EOI


@kind
def jpeg_exif_segments(size: int) -> bytes:
    return jpeg_with(repeated(segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08"), size))


@kind
def jpeg_exif_values(size: int) -> bytes:
    pieces = exif_values(size)
    step = 65_000
    return jpeg_with(b"".join(segment(0xE1, b"Exif\0\0" + pieces[i : i + step]) for i in range(0, len(pieces), step)))


@kind
def jpeg_comments(size: int) -> bytes:
    return jpeg_with(repeated(segment(0xFE), size))


@kind
def jpeg_applications(size: int) -> bytes:
    return jpeg_with(repeated(segment(0xE5, b"x"), size))


@kind
def jpeg_quantisation_tables(size: int) -> bytes:
    return jpeg_with(repeated(segment(0xDB, (b"\0" + b"\1" * 64) * 1000), size))


@kind
def jpeg_restart_intervals(size: int) -> bytes:
    return jpeg_with(repeated(segment(0xDD, b"\0\0"), size))


@kind
def jpeg_fill_bytes(size: int) -> bytes:
    return jpeg_with(b"\xff" * size)


@kind
def jpeg_junk_bytes(size: int) -> bytes:
    return jpeg_with(segment(0xFE) + b"\0" * size)


@kind
def jpeg_frames(size: int) -> bytes:
    return jpeg_with(repeated(jpeg_frame(0xC0, 8, 8), size))


@kind
def jpeg_photoshop_resources(size: int) -> bytes:
    resources = b"8BIM\x04\x04\0\0\0\0\0\0" * 5_000
    return jpeg_with(repeated(segment(0xED, b"Photoshop 3.0\0" + resources), size))


@kind
def jpeg_profile(size: int) -> bytes:
    body = b"ICC_PROFILE\0"
    return jpeg_with(b"".join(segment(0xE2, body + bytes([i % 256, 255, 0])) for i in range(size // 19)))


@kind
def jpeg_pictures(size: int) -> bytes:
    photo = encoded(Image.new("RGB", (16, 16)), "JPEG")
    entries = struct.pack(">IIIHH", 0, len(photo), 0, 0, 0) * 4_000
    index = b"MM\0*\0\0\0\x08\0\2"
    index += struct.pack(">HHII", 0xB001, 4, 1, 4_000) + struct.pack(">HHII", 0xB002, 7, len(entries), 38) + bytes(4)
    return photo[:2] + segment(0xE2, b"MPF\0" + index + entries) + photo[2:] + repeated(photo, size)


@kind
def jpeg_claim(size: int) -> bytes:
    return SOI + jpeg_tables() + jpeg_frame(0xC0, *CLAIMED, 3) + jpeg_scan(3) + EOI


@kind
def jpeg_progressive_claim(size: int) -> bytes:
    head = SOI + jpeg_tables() + jpeg_frame(0xC2, *CLAIMED, 3)
    return head + jpeg_scan(3, last=0) + jpeg_scan(first=1) * 8 + EOI


@kind
def jpeg_cmyk_claim(size: int) -> bytes:
    head = SOI + segment(0xEE, b"Adobe\0d\0\0\0\0\2") + jpeg_tables() + jpeg_frame(0xC2, *CLAIMED, 4)
    return head + jpeg_scan(4, last=0) + EOI


@kind
def jpeg_arithmetic_claim(size: int) -> bytes:
    return SOI + jpeg_tables(()) + jpeg_frame(0xC9, *CLAIMED, 3) + jpeg_scan(3) + b"\x55\xaa" * 500 + EOI


@kind
def jpeg_arithmetic_scans(size: int) -> bytes:
    head = SOI + jpeg_tables(()) + jpeg_frame(0xCA, 1000, 800)
    return head + repeated(jpeg_scan(first=1) + b"\x55\xaa", min(size, 60_000)) + EOI
