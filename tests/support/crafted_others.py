"""Crafted GIF, BMP and WebP files."""

import struct

from crafted_parts import CLAIMED, encoded, exif_values, kind, repeated
from PIL import Image

# GIF


def gif(extensions: bytes = b"", *, size: tuple[int, int] = (16, 16), after: bytes = b"") -> bytes:
    data = encoded(Image.linear_gradient("L").resize((16, 16)), "GIF")
    at = data.index(b",", 13 + 3 * 2)
    while data[at : at + 9] != b",\0\0\0\0\x10\0\x10\0":
        at = data.index(b",", at + 1)
    return data[:6] + struct.pack("<HH", *size) + data[10:at] + extensions + data[at:-1] + after + b";"


@kind
def gif_comments(size: int) -> bytes:
    return gif(b"!\xfe" + repeated(b"\1a", size) + b"\0")


@kind
def gif_extensions(size: int) -> bytes:
    return gif(repeated(b"!\xf9\4\0\0\0\0\0", size))


@kind
def gif_empty_extensions(size: int) -> bytes:
    return gif(repeated(b"!\x01\1a\0", size))


@kind
def gif_frames(size: int) -> bytes:
    frame = gif()
    return gif(after=repeated(frame[frame.rindex(b",\0\0\0\0\x10\0\x10\0") : -1], size))


@kind
def gif_tiny_blocks(size: int) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", 4000, 4000, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return head + b",\0\0\0\0" + struct.pack("<HHBB", 4000, 4000, 0, 2) + repeated(b"\1\x24", size) + b"\0;"


@kind
def gif_claim(size: int) -> bytes:
    return gif(size=CLAIMED)


# BMP


def bmp(width: int, height: int, data: bytes, *, bits: int = 8, compression: int = 0) -> bytes:
    colours = b"".join(bytes([i, 255 - i, 0, 0]) for i in range(1 << bits)) if bits <= 8 else b""
    offset = 54 + len(colours)
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + head + colours + data


@kind
def bmp_runs(size: int) -> bytes:
    return bmp(*CLAIMED, repeated(b"\1\5", size), compression=1)


@kind
def bmp_half_byte_runs(size: int) -> bytes:
    return bmp(*CLAIMED, repeated(b"\xff\x12", size), bits=4, compression=2)


@kind
def bmp_line_ends(size: int) -> bytes:
    return bmp(30_000, 2_600, repeated(b"\1\5\0\0", size), compression=1)


@kind
def bmp_empty_runs(size: int) -> bytes:
    return bmp(1, 1000, b"\1\5" + repeated(b"\5\5", size), compression=1)


@kind
def bmp_jumps(size: int) -> bytes:
    return bmp(CLAIMED[0] * CLAIMED[1], 1, repeated(b"\0\2\xff\xff", size), compression=1)


@kind
def bmp_claim(size: int) -> bytes:
    return bmp(*CLAIMED, bytes(size), bits=32)


# WebP


def webp(chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def webp_chunk(name: bytes, body: bytes = b"") -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def webp_pixels(width: int, height: int) -> bytes:
    """A lossless image of one colour: five Huffman codes of one symbol, and no bit per pixel."""
    bits = (width - 1) | (height - 1) << 14 | 1 << 28
    codes = sum(1 << (3 + 4 * i) for i in range(5))
    return webp_chunk(b"VP8L", b"\x2f" + struct.pack("<I", bits) + codes.to_bytes(13, "little"))


def webp_canvas(width: int, height: int, flags: int) -> bytes:
    return webp_chunk(
        b"VP8X", struct.pack("<I", flags) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    )


def webp_frame(width: int, height: int) -> bytes:
    place = bytes(6) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little") + b"\x0a\0\0\0"
    return webp_chunk(b"ANMF", place + webp_pixels(width, height))


@kind
def webp_lossless_claim(size: int) -> bytes:
    return webp(webp_pixels(16_383, 4_880))


@kind
def webp_chunks(size: int) -> bytes:
    return webp(webp_canvas(16, 16, 0) + webp_pixels(16, 16) + repeated(webp_chunk(b"abcd"), size))


@kind
def webp_frames(size: int) -> bytes:
    animation = webp_chunk(b"ANIM", bytes(6))
    return webp(webp_canvas(16, 16, 2) + animation + repeated(webp_frame(16, 16), size))


@kind
def webp_canvas_claim(size: int) -> bytes:
    return webp(webp_canvas(*CLAIMED, 2) + webp_chunk(b"ANIM", bytes(6)) + webp_frame(16, 16))


@kind
def webp_exif_values(size: int) -> bytes:
    return webp(webp_canvas(16, 16, 8) + webp_pixels(16, 16) + webp_chunk(b"EXIF", exif_values(size)))


@kind
def webp_lossy_claim(size: int) -> bytes:
    data = bytearray(encoded(Image.new("RGB", (16, 16)), "WEBP"))
    struct.pack_into("<HH", data, 26, 16_383, 4_880)
    return bytes(data)
