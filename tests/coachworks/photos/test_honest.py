"""Photos as cameras and programs write them: all of them pass the bounds."""

import io
import struct

import numpy as np
import pytest
from crafted_parts import jpeg_frame, jpeg_scan, jpeg_tables, png_chunk
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from coachworks.photos import MAX_DECODE_BYTES, decode_cost, decode_photo
from coachworks.photos.cost import claim_of

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
MODES = {
    "JPEG": ["L", "RGB", "CMYK"],
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "WEBP": ["L", "RGB", "RGBA"],
    "BMP": ["1", "L", "P", "RGB"],
    "GIF": ["1", "L", "P", "RGB", "RGBA"],
    "TIFF": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"],
}
OPTIONS = {
    "JPEG": st.fixed_dictionaries(
        {},
        optional={
            "quality": st.sampled_from([1, 75, 100]),
            "progressive": st.booleans(),
            "optimize": st.booleans(),
            "subsampling": st.sampled_from([0, 1, 2]),
            "restart_marker_blocks": st.sampled_from([1, 7]),
            "restart_marker_rows": st.just(1),
            "comment": st.just(b"taken by hand"),
            "icc_profile": st.just(PROFILE),
        },
    ),
    "PNG": st.fixed_dictionaries({}, optional={"optimize": st.booleans(), "icc_profile": st.just(PROFILE)}),
    "WEBP": st.fixed_dictionaries(
        {}, optional={"lossless": st.booleans(), "exact": st.booleans(), "icc_profile": st.just(PROFILE)}
    ),
    "BMP": st.just({}),
    "GIF": st.fixed_dictionaries({}, optional={"interlace": st.booleans(), "comment": st.just(b"x" * 1000)}),
    "TIFF": st.fixed_dictionaries(
        {},
        optional={
            "compression": st.sampled_from([None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd"]),
            "icc_profile": st.just(PROFILE),
            "strip_size": st.sampled_from([1, 1000]),
        },
    ),
}


def picture(mode: str, width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 4), dtype=np.uint8)
    if mode == "I;16":
        return Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    if mode in {"I", "F"}:
        return Image.fromarray(pixels[..., 0].astype(np.int32 if mode == "I" else np.float32))
    image = Image.fromarray(pixels)
    return image if mode == "RGBA" else image.convert("LA" if mode == "LA" else "RGB").convert(mode)


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


@pytest.mark.parametrize(("file_format", "mode"), [(f, mode) for f, modes in MODES.items() for mode in modes])
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_whatever_pillow_writes_is_decoded(file_format: str, mode: str, data: st.DataObject) -> None:
    width, height = data.draw(st.tuples(st.integers(1, 70), st.integers(1, 70)))
    options = dict(data.draw(OPTIONS[file_format]))
    exif = Image.Exif()
    exif[0x0112] = data.draw(st.integers(1, 8))
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 12:30:00"
    if file_format not in {"BMP", "GIF"} and data.draw(st.booleans()):
        options["exif"] = exif
    content = encoded(picture(mode, width, height), file_format, **options)
    claim = claim_of(content)
    assert {claim.width_px, claim.height_px} == {width, height}
    assert not decode_cost(content).large
    assert sorted(decode_photo(content).size) == sorted((width, height))


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP", "TIFF", "MPO"])
def test_of_an_animation_or_several_pages_the_first_is_decoded(file_format: str) -> None:
    frames = [picture("RGB", 40, 30).rotate(i) for i in range(6)]
    content = encoded(frames[0], file_format, save_all=True, append_images=frames[1:])
    assert decode_photo(content).size == (40, 30)


def segments(marker: int, head: bytes, number: int) -> bytes:
    return (struct.pack(">BBH", 0xFF, marker, 65_535) + head.ljust(65_533, b"x")) * number


@pytest.mark.parametrize(
    ("marker", "head", "number"),
    [
        (0xE1, b"http://ns.adobe.com/xmp/extension/\0", 300),
        (0xE2, b"ICC_PROFILE\0\1\1", 255),
        (0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0", 30),
        (0xE1, b"Exif\0\0", 20),
        (0xEB, b"JP", 200),
    ],
)
def test_metadata_of_many_megabytes_is_accepted(marker: int, head: bytes, number: int) -> None:
    content = encoded(picture("RGB", 64, 48), "JPEG")
    assert decode_photo(content[:2] + segments(marker, head, number) + content[2:]).size == (64, 48)


def test_a_scan_with_one_row_per_strip_and_ten_thousand_rows_is_accepted() -> None:
    content = encoded(picture("L", 8, 10_000), "TIFF", strip_size=8)
    assert decode_photo(content).size == (8, 10_000)


def test_a_photo_in_data_chunks_of_4_kib_is_accepted() -> None:
    head = struct.pack(">IIBBBBB", 8000, 5200, 8, 0, 0, 0, 0)
    body = png_chunk(b"IDAT", bytes(4096)) * 10_000
    assert decode_cost(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + body + png_chunk(b"IEND")).large


def jpeg_of(width: int, height: int, **options: object) -> bytes:
    """A JPEG of that size, of one colour."""
    return encoded(Image.new("RGB", (width, height), (90, 120, 150)), "JPEG", **options)


@pytest.mark.parametrize(("width", "height"), [(8000, 6000), (16_000, 5000)], ids=["48 megapixels", "80 megapixels"])
@pytest.mark.parametrize("options", [{}, {"progressive": True, "subsampling": 0}], ids=["baseline", "progressive"])
@pytest.mark.slow
def test_the_largest_photos_of_cameras_are_decoded(width: int, height: int, options: dict[str, object]) -> None:
    content = jpeg_of(width, height, **options)
    assert decode_cost(content).memory_bytes <= MAX_DECODE_BYTES
    assert decode_cost(content, at_least_px=256).large
    assert min(decode_photo(content, at_least_px=256).size) >= 256


def test_progressive_photos_with_many_more_scans_than_usual_are_accepted() -> None:
    for width, height, scans in [(8000, 6000, 40), (1000, 800, 600), (64, 48, 900)]:
        content = (
            b"\xff\xd8" + jpeg_tables() + jpeg_frame(0xC2, width, height) + jpeg_scan(first=1) * scans + b"\xff\xd9"
        )
        assert decode_cost(content, at_least_px=256).memory_bytes


def test_recovered_photos_may_end_in_erased_memory() -> None:
    content = encoded(picture("RGB", 64, 48), "JPEG")
    for filling in (b"\xff", b"\0", b"\xff\xda"):
        assert decode_photo(content + filling * 1_000_000).size == (64, 48)
