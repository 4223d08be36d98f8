"""Crafted PNG files."""

import struct
import zlib
from collections.abc import Sequence
from itertools import count

from crafted_parts import CLAIMED, empty_blocks, exif_values, kind, png_chunk, repeated, squeezed_zeros


def png(
    width: int = 16,
    height: int = 16,
    *,
    bits: int = 8,
    colour: int = 0,
    interlaced: int = 0,
    before: bytes = b"",
    data: Sequence[bytes] | None = None,
    after: bytes = b"",
) -> bytes:
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    if data is None:
        row = 1 + (width * samples * bits + 7) // 8
        data = [squeezed_zeros(row * height * (2 if interlaced else 1))]
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    body = b"".join(png_chunk(b"IDAT", piece) for piece in data)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + before + body + after + png_chunk(b"IEND")


@kind
def png_texts(size: int) -> bytes:
    return png(before=repeated(png_chunk(b"tEXt", b"a\0b"), size))


@kind
def png_compressed_texts(size: int) -> bytes:
    bomb = png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000)))
    return png(after=repeated(bomb, size))


@kind
def png_unreadable_texts(size: int) -> bytes:
    bomb = png_chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(b"\xff" * 1_000_000))
    return png(before=repeated(bomb, size))


@kind
def png_profiles(size: int) -> bytes:
    return png(before=repeated(png_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1_000_000))), size))


@kind
def png_private_chunks(size: int) -> bytes:
    return png(after=repeated(png_chunk(b"prIv"), size))


@kind
def png_tiny_data(size: int) -> bytes:
    rows = max(1, size // 13 // 1001)
    data = zlib.compress(bytes(1001 * rows), 0)
    return png(1000, rows, data=[data[i : i + 1] for i in range(len(data))])


@kind
def png_empty_data(size: int) -> bytes:
    return png(data=[*[b""] * (size // 12), zlib.compress(bytes(17 * 16))])


@kind
def png_empty_blocks(size: int) -> bytes:
    pixels = bytes(17 * 16)
    last = struct.pack("<BHH", 1, len(pixels), 0xFFFF - len(pixels)) + pixels + struct.pack(">I", zlib.adler32(pixels))
    return png(data=[empty_blocks(size) + last])


@kind
def png_frames(size: int) -> bytes:
    numbers = count()
    control = struct.pack(">IIIIHHBB", 16, 16, 0, 0, 1, 10, 0, 0)
    pixels = zlib.compress(bytes(17 * 16))

    def frame() -> bytes:
        head = png_chunk(b"fcTL", struct.pack(">I", next(numbers)) + control)
        return head + png_chunk(b"fdAT", struct.pack(">I", next(numbers)) + pixels)

    before = png_chunk(b"acTL", struct.pack(">II", size // 80, 0))
    return png(before=before, after=b"".join(frame() for _ in range(size // 80)))


@kind
def png_exif_values(size: int) -> bytes:
    return png(before=png_chunk(b"eXIf", exif_values(size)))


@kind
def png_deep_claim(size: int) -> bytes:
    return png(*CLAIMED, bits=16, colour=6)


@kind
def png_interlaced_claim(size: int) -> bytes:
    return png(*CLAIMED, bits=16, colour=6, interlaced=1)


@kind
def png_alpha_claim(size: int) -> bytes:
    return png(*CLAIMED, colour=4)


@kind
def png_palette_claim(size: int) -> bytes:
    return png(*CLAIMED, colour=3, before=png_chunk(b"PLTE", bytes(768)) + png_chunk(b"tRNS", bytes(range(256))))


@kind
def png_grey_claim(size: int) -> bytes:
    return png(*CLAIMED, bits=16)
