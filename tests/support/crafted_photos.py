"""Photo files that are crafted to cost a decoder much time or memory, honest in code, the same for the same arguments.

`KINDS` maps each name to a function of the size that the file should have in bytes; kinds whose file is small whatever
it claims ignore the size. `mix` draws any number of them.
"""

import io
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from itertools import count

from PIL import Image

Kind = Callable[[int], bytes]
SMALL, MEDIUM, LARGE = 271_000, 3_400_000, 33_000_000  # sizes of one attack, in bytes
CLAIMED = (10_000, 7_900)  # 79 megapixels, within what a photo may have

KINDS: dict[str, Kind] = {}
_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"


def kind(make: Kind) -> Kind:
    KINDS[make.__name__] = make
    return make


def mix(number: int, *, seed: int, sizes: Sequence[int] = (SMALL, MEDIUM)) -> list[tuple[str, bytes]]:
    """Draw `number` crafted files, each with its kind's name."""
    draw = random.Random(seed)  # noqa: S311 — no secret
    names = [draw.choice(sorted(KINDS)) for _ in range(number)]
    return [(name, KINDS[name](draw.choice(list(sizes)))) for name in names]


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


# JPEG


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


@kind
def jpeg_empty_scans(size: int) -> bytes:
    head = _SOI + jpeg_tables() + jpeg_frame(0xC2, 1000, 800)
    return head + repeated(jpeg_scan(first=1), size) + _EOI


@kind
def jpeg_large_empty_scans(size: int) -> bytes:
    head = _SOI + jpeg_tables() + jpeg_frame(0xC2, *CLAIMED)
    return head + jpeg_scan(first=1) * min(200, size // 10) + _EOI


@kind
def jpeg_restarted_scans(size: int) -> bytes:
    head = _SOI + jpeg_tables() + jpeg_frame(0xC2, 1000, 800) + segment(0xDD, b"\0\1")
    return head + repeated(jpeg_scan(first=1) + b"\xff\xd0\xff\xd1\xff\xd2", size) + _EOI


@kind
def jpeg_refined_scans(size: int) -> bytes:
    head = _SOI + jpeg_tables() + jpeg_frame(0xC2, 1000, 800) + jpeg_scan(first=1, bits=1)
    return head + repeated(jpeg_scan(first=1, bits=0x10), size) + _EOI


@kind
def jpeg_refined_runs(size: int) -> bytes:
    """Refinements of one run each: the decoder looks at every coefficient of every block."""
    tables = segment(0xDB, b"\0" + b"\1" * 64) + segment(0xC4, b"\x10\1" + bytes(15) + b"\xe0")
    head = _SOI + tables + jpeg_frame(0xC2, 1000, 800) + jpeg_scan(first=1, bits=1)
    return head + repeated(jpeg_scan(first=1, bits=0x10) + b"\x7f\xff\0", size) + _EOI


@kind
def jpeg_coloured_scans(size: int) -> bytes:
    head = _SOI + jpeg_tables() + jpeg_frame(0xC2, 1000, 800, 3, 0x22)
    return head + repeated(jpeg_scan(3, last=0), size) + _EOI


@kind
def jpeg_huffman_tables(size: int) -> bytes:
    head = _SOI + jpeg_tables() + jpeg_frame(0xC2, 64, 48) + jpeg_scan(first=1)
    return head + repeated(jpeg_tables([0x00, 0x10]) + jpeg_scan(first=1), size) + _EOI


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
    return _SOI + jpeg_tables() + jpeg_frame(0xC0, *CLAIMED, 3) + jpeg_scan(3) + _EOI


@kind
def jpeg_progressive_claim(size: int) -> bytes:
    head = _SOI + jpeg_tables() + jpeg_frame(0xC2, *CLAIMED, 3)
    return head + jpeg_scan(3, last=0) + jpeg_scan(first=1) * 8 + _EOI


@kind
def jpeg_cmyk_claim(size: int) -> bytes:
    head = _SOI + segment(0xEE, b"Adobe\0d\0\0\0\0\2") + jpeg_tables() + jpeg_frame(0xC2, *CLAIMED, 4)
    return head + jpeg_scan(4, last=0) + _EOI


@kind
def jpeg_arithmetic_claim(size: int) -> bytes:
    return _SOI + jpeg_tables(()) + jpeg_frame(0xC9, *CLAIMED, 3) + jpeg_scan(3) + b"\x55\xaa" * 500 + _EOI


@kind
def jpeg_arithmetic_scans(size: int) -> bytes:
    head = _SOI + jpeg_tables(()) + jpeg_frame(0xCA, 1000, 800)
    return head + repeated(jpeg_scan(first=1) + b"\x55\xaa", min(size, 60_000)) + _EOI


# EXIF and TIFF


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
    head = _SOI + jpeg_tables() + jpeg_frame(0xC2, 4000, 4000)
    data = head + jpeg_scan(first=1) * min(98, size // 10) + _EOI
    return tiff(4000, 80_000 // 4, data, compression=7, strips=[(8, len(data))] * 5, rows=4000)


# PNG


def png_chunk(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


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
