"""Parts of crafted photos: their list, and pieces of JPEG, EXIF and PNG files."""

import io
import struct
import zlib
from collections.abc import Callable, Sequence

from PIL import Image

Kind = Callable[[int], bytes]
SMALL, MEDIUM, LARGE = 271_000, 3_400_000, 33_000_000  # sizes of one attack, in bytes
CLAIMED = (10_000, 7_900)  # 79 megapixels, within what a photo may have

KINDS: dict[str, Kind] = {}
SOI, EOI = b"\xff\xd8", b"\xff\xd9"


def kind(make: Kind) -> Kind:
    KINDS[make.__name__] = make
    return make


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def squeezed_zeros(number: int) -> bytes:
    """`zlib.compress(bytes(number))`, without taking the time for it: one block, repeated."""
    squeezer = zlib.compressobj(wbits=-15)
    step = 1 << 20
    block = squeezer.compress(bytes(step)) + squeezer.flush(zlib.Z_FULL_FLUSH)
    last = squeezer.compress(bytes(number % step)) + squeezer.flush()
    return b"\x78\x9c" + block * (number // step) + last + struct.pack(">HH", number % 65521, 1)


def repeated(piece: bytes, size: int) -> bytes:
    return piece * max(1, size // len(piece))


def segment(marker: int, body: bytes = b"") -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jpeg_frame(marker: int, width: int, height: int, components: int = 1, sampling: int = 0x11) -> bytes:
    parts = b"".join(bytes([i + 1, sampling if i == 0 else 0x11, 0]) for i in range(components))
    return segment(marker, struct.pack(">BHHB", 8, height, width, components) + parts)


def jpeg_tables(classes: Sequence[int] = (0x00, 0x10)) -> bytes:
    """A quantisation table, and Huffman tables of one code each: no bits for DC, end of block for AC."""
    huffman = b"".join(segment(0xC4, bytes([number, 1]) + bytes(15) + b"\0") for number in classes)
    return segment(0xDB, b"\0" + b"\1" * 64) + huffman


def jpeg_scan(components: int = 1, first: int = 0, last: int = 63, bits: int = 0) -> bytes:
    parts = b"".join(bytes([i + 1, 0]) for i in range(components))
    return segment(0xDA, bytes([components]) + parts + bytes([first, last, bits]))


def jpeg_with(head: bytes) -> bytes:
    """A photo of 64 x 48 with `head` behind its start."""
    data = encoded(Image.radial_gradient("L").resize((64, 48)), "JPEG")
    return data[:2] + head + data[2:]


def ifd(entries: Sequence[tuple[int, int, int, int]], following: int = 0, order: str = ">") -> bytes:
    """A directory of TIFF: tag, type, count, and value or offset of each entry."""
    body = b"".join(
        struct.pack(order + ("HHIHH" if kind == 3 and number == 1 else "HHII"), tag, kind, number, value, *padding)
        for tag, kind, number, value in entries
        for padding in [(0,) if kind == 3 and number == 1 else ()]
    )
    return struct.pack(order + "H", len(entries)) + body + struct.pack(order + "I", following)


def empty_blocks(size: int) -> bytes:
    """The start of a compressed stream: stored blocks without content."""
    return b"\x78\x01" + b"\0\0\0\xff\xff" * (size // 5)


def exif_values(size: int) -> bytes:
    """EXIF whose directories hold as many fractions as fit into `size` bytes."""
    fractions = max(1, size // 8 - 20)
    first = ifd([(0x0112, 3, 1, 1), (0x011A, 5, 1, 8), (0x0128, 3, 1, 2), (0x8769, 4, 1, 62)])
    second = ifd([(0x9003, 2, 20, 8), (0x9202, 5, fractions, 92)])
    return b"MM\0*\0\0\0\x08" + first + second + struct.pack(">II", 7, 3) * fractions


def png_chunk(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
