"""Crafted TIFF files."""

import struct
import zlib
from collections.abc import Sequence

from crafted_parts import (
    CLAIMED,
    EOI,
    SMALL,
    SOI,
    empty_blocks,
    ifd,
    jpeg_frame,
    jpeg_scan,
    jpeg_tables,
    kind,
    repeated,
    squeezed_zeros,
)


def tiff(
    width: int,
    height: int,
    data: bytes,
    *,
    compression: int = 1,
    bits: Sequence[int] = (8,),
    photometric: int = 1,
    strips: Sequence[tuple[int, int]] | None = None,
    rows: int | None = None,
    tile: tuple[int, int] | None = None,
    more: Sequence[tuple[int, int, int, int]] = (),
    following: int = 0,
    sample_format: int = 1,
) -> bytes:
    """A TIFF whose strips or tiles, offset and length each, lie in `data`, which begins at byte 8."""
    strips = [(8, len(data))] if strips is None else strips
    body = bytearray(b"MM\0*" + bytes(4) + data)

    def placed(kind: int, values: Sequence[int]) -> tuple[int, int, int]:
        if len(values) == 1:
            return kind, 1, values[0]
        body.extend(bytes(len(body) % 2))
        start = len(body)
        body.extend(struct.pack(f">{len(values)}{'H' if kind == 3 else 'I'}", *values))
        return kind, len(values), start

    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, *placed(3, bits if len(bits) != 2 else [*bits])),
        (259, 3, 1, compression),
        (262, 3, 1, photometric),
        (277, 3, 1, len(bits)),
        (339, *placed(3, [sample_format] * len(bits))),
    ]
    offsets, lengths = placed(4, [o for o, _ in strips]), placed(4, [n for _, n in strips])
    if tile is None:
        entries += [(273, *offsets), (278, 4, 1, rows or height), (279, *lengths)]
    else:
        entries += [(322, 4, 1, tile[0]), (323, 4, 1, tile[1]), (324, *offsets), (325, *lengths)]
    body.extend(bytes(len(body) % 2))
    struct.pack_into(">I", body, 4, len(body))
    return bytes(body) + ifd(sorted([*entries, *more]), following)


@kind
def tiff_repeated_strips(size: int) -> bytes:
    width, height = 2000, max(2, size // 4000)
    pixels = width * height
    return tiff(width, height, bytes(pixels), strips=[(8, pixels)] * (size // 16), rows=height - 1)


@kind
def tiff_thin_strips(size: int) -> bytes:
    strips = size // 8
    return tiff(1, strips, b"\0" * 8, strips=[(8 + i % 8, 1) for i in range(strips)], rows=1)


@kind
def tiff_small_tiles(size: int) -> bytes:
    tiles = size // 8
    return tiff(16, 16 * tiles, bytes(256), strips=[(8 + i % 8, 256) for i in range(tiles)], tile=(16, 16))


@kind
def tiff_huge_tile(size: int) -> bytes:
    data = squeezed_zeros(min(size * 900, 2_000_000_000))
    return tiff(16, 16, data, compression=8, strips=[(8, len(data))], tile=(46_000, 46_000))


@kind
def tiff_shared_strips(size: int) -> bytes:
    data = empty_blocks(size) + b"\1\x10\0\xef\xff" + bytes(16) + struct.pack(">I", zlib.adler32(bytes(16)))
    return tiff(16, 20_000, data, compression=8, strips=[(8, len(data))] * 20_000, rows=1)


@kind
def tiff_directories(size: int) -> bytes:
    first = tiff(16, 16, bytes(256))
    start = len(first)
    chain = b"".join(ifd([(256, 4, 1, 1)], start + 18 * (i + 1)) for i in range(size // 18))
    return first[:-4] + struct.pack(">I", start) + chain


@kind
def tiff_loop(size: int) -> bytes:
    first = tiff(16, 16, bytes(256))
    return first[:-4] + first[4:8]


@kind
def tiff_tags(size: int) -> bytes:
    entries = [(49_000 + i, 5, 1, 8) for i in range(min(15_000, size // 12))]
    exif = ifd(entries)
    return tiff(16, 16, bytes(256) + exif, strips=[(8, 256)], more=[(0x8769, 4, 1, 264), *entries])


@kind
def tiff_values(size: int) -> bytes:
    fractions = size // 8
    exif = ifd([(0x9202, 5, fractions, 264 + 18)])
    data = bytes(256) + exif + struct.pack(">II", 7, 3) * fractions
    return tiff(16, 16, data, strips=[(8, 256)], more=[(0x8769, 4, 1, 264)])


@kind
def tiff_bits(size: int) -> bytes:
    shorts = size // 2
    data = bytes(256) + struct.pack(">H", 8) * shorts
    honest = tiff(16, 16, data, strips=[(8, 256)])
    entry = struct.pack(">HHI", 258, 3, 1)
    at = honest.rindex(entry)
    return honest[:at] + struct.pack(">HHII", 258, 3, shorts, 264) + honest[at + 12 :]


@kind
def tiff_deflate_claim(size: int) -> bytes:
    data = squeezed_zeros(CLAIMED[0] * CLAIMED[1] * 4)
    return tiff(*CLAIMED, data, compression=8, bits=(8, 8, 8, 8), photometric=5)


@kind
def tiff_float_claim(size: int) -> bytes:
    data = squeezed_zeros(CLAIMED[0] * CLAIMED[1] * 4)
    return tiff(*CLAIMED, data, compression=8, bits=(32,), sample_format=3)


@kind
def tiff_integer_claim(size: int) -> bytes:
    data = squeezed_zeros(CLAIMED[0] * CLAIMED[1] * 4)
    return tiff(*CLAIMED, data, compression=8, bits=(32,), sample_format=2)


@kind
def tiff_lzw_claim(size: int) -> bytes:
    return tiff(*CLAIMED, repeated(b"\x80\x00\x20\x50\x38", min(size, SMALL)), compression=5)


@kind
def tiff_fax_claim(size: int) -> bytes:
    return tiff(*CLAIMED, repeated(b"\xff\xff", min(size, SMALL)), compression=4, bits=(1,), photometric=0)


@kind
def tiff_packed_claim(size: int) -> bytes:
    return tiff(*CLAIMED, repeated(b"\x81\0", CLAIMED[0] * CLAIMED[1] // 64), compression=32773)


@kind
def tiff_jpeg_scans(size: int) -> bytes:
    head = SOI + jpeg_tables() + jpeg_frame(0xC2, 4000, 4000)
    data = head + jpeg_scan(first=1) * min(98, size // 10) + EOI
    return tiff(4000, 80_000 // 4, data, compression=7, strips=[(8, len(data))] * 5, rows=4000)
