import io
import struct
import threading
import warnings
import zlib
from datetime import datetime

import numpy as np
import pytest
from PIL import Image, ImageOps

from coachworks import photos
from coachworks.errors import PhotoError
from coachworks.photos import (
    MAX_BYTES,
    MAX_PIXELS,
    SUFFIXES,
    Reason,
    decode_photo,
    large_file_error,
    photo_key,
    read_photo,
)


def picture(width=300, height=200, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def encoded(image, file_format="JPEG", **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def refused(data, **options):
    with pytest.raises(PhotoError) as caught:
        decode_photo(data, **options)
    return caught.value


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_each_supported_format_is_decoded_as_rgb(file_format):
    photo = read_photo(encoded(picture(), file_format))
    assert (photo.image.mode, photo.image.size) == ("RGB", (300, 200))
    assert (photo.format, photo.width_px, photo.height_px) == (file_format, 300, 200)


def test_a_jpeg_followed_by_further_images_is_a_jpeg():
    data = encoded(picture(), "MPO", save_all=True, append_images=[picture(seed=1)])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    photo = read_photo(data, at_least_px=64)
    assert (photo.format, photo.extension, photo.width_px) == ("JPEG", "jpg", 300)


def test_at_least_the_requested_pixels_are_decoded():
    photo = read_photo(encoded(picture(1600, 1200)), at_least_px=256)
    assert photo.image.size == (400, 300)
    assert (photo.width_px, photo.height_px) == (1600, 1200)


def test_small_photos_are_not_enlarged():
    assert decode_photo(encoded(picture(40, 30)), at_least_px=256).size == (40, 30)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_photos_are_rotated_by_their_exif_orientation(orientation, file_format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(picture(), file_format, exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    photo = read_photo(data)
    assert np.array_equal(photo.image, expected)
    assert (photo.width_px, photo.height_px) == expected.size


def test_the_date_is_that_of_taking_the_photo_not_of_editing_it():
    exif = Image.Exif()
    exif[0x0132] = "2025:01:01 00:00:00"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 12:30:00"
    assert read_photo(encoded(picture(), exif=exif)).taken_at == datetime(2024, 5, 1, 12, 30)


@pytest.mark.parametrize("written", [None, "", "0000:00:00 00:00:00", "yesterday", "2024:13:01 00:00:00"])
def test_a_missing_or_invalid_exif_date_is_none(written):
    exif = Image.Exif()
    exif[0x0132] = "2025:01:01 00:00:00"
    if written is not None:
        exif.get_ifd(0x8769)[0x9003] = written
    assert read_photo(encoded(picture(), exif=exif)).taken_at is None


def test_a_photo_with_damaged_exif_is_accepted():
    data = encoded(picture(), exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f" + b"\xff" * 40)
    assert read_photo(data).image.size == (300, 200)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("at_least_px", [None, 32])
@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("BMP", {}),
        ("GIF", {}),
        ("TIFF", {}),
    ],
    ids=str,
)
def test_truncated_files_are_detected_even_when_few_pixels_are_decoded(file_format, options, share, at_least_px):
    data = encoded(picture(), file_format, **options)
    error = refused(data[: int(len(data) * share)], at_least_px=at_least_px)
    assert error.reason == Reason.TRUNCATED
    assert "truncated or damaged" in str(error)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"exif": True}])
def test_a_jpeg_that_ends_in_zeros_is_detected(options):
    if "exif" in options:  # its thumbnail has an end of image of its own
        options = {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + encoded(picture(16, 16))}
    data = encoded(picture(), **options)
    half = len(data) // 2
    assert refused(data[:half] + b"\0" * half).reason == Reason.TRUNCATED


def test_zeros_after_the_end_of_a_jpeg_are_accepted():
    assert decode_photo(encoded(picture()) + b"\0" * 4096).size == (300, 200)


def test_an_empty_file_is_refused():
    assert refused(b"").reason == Reason.EMPTY


@pytest.mark.parametrize("data", [b"hello", b"%PDF-1.7 and more", b"<svg></svg>", b"\x00" * 500, b"PK\x03\x04"])
def test_a_file_that_is_not_an_image_is_refused(data):
    assert refused(data).reason == Reason.NOT_A_PHOTO


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x00\x00\x00\x18ftypheic", "HEIC"),
        (b"\x00\x00\x00\x1cftypavif", "AVIF"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"8BPS\x00\x01", "PSD"),
    ],
)
def test_unsupported_formats_are_named(head, name):
    error = refused(head + b"\x00" * 100)
    assert error.reason == Reason.UNSUPPORTED_FORMAT
    assert f"got {name}. Convert it to JPEG" in str(error)


def png_bomb(side):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))


@pytest.mark.parametrize("side", [9_000, 9_800, 50_000])
def test_decompression_bombs_are_refused_before_they_are_decoded(side):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        error = refused(png_bomb(side))
    assert error.reason == Reason.TOO_MANY_PIXELS
    assert str(MAX_PIXELS) in str(error)


def test_a_file_that_is_too_large_is_reported_as_too_large_or_not_a_photo():
    assert refused(encoded(picture()) + b"\0" * MAX_BYTES).reason == Reason.TOO_LARGE
    assert large_file_error(10**9, b"\x00\x00\x00\x18ftypisom" + b"\0" * 50).reason == Reason.NOT_A_PHOTO


def test_transparent_pixels_become_white():
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert decode_photo(encoded(clear, "PNG")).getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (8, 8), 3)
    palette.putpalette([0] * 768)
    assert decode_photo(encoded(palette, "PNG", transparency=3)).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bit_grey_is_scaled_not_clipped():
    values = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    image = decode_photo(encoded(Image.fromarray(values), "PNG"))
    assert np.allclose(np.asarray(image)[..., 0], values / 257, atol=1)


@pytest.mark.parametrize("mode", ["L", "1", "CMYK"])
def test_other_colour_modes_become_rgb(mode):
    assert decode_photo(encoded(picture().convert(mode), "TIFF")).mode == "RGB"


def test_many_threads_may_decode_at_once():
    good, bomb = encoded(picture()), png_bomb(9_800)
    reasons, sizes = [], []

    def work():
        for _ in range(20):
            sizes.append(decode_photo(good).size)
            try:
                decode_photo(bomb)
            except PhotoError as err:
                reasons.append(err.reason)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [(300, 200)] * 80
    assert reasons == [Reason.TOO_MANY_PIXELS] * 80


def test_photo_keys_have_folders_of_two_digits():
    assert photo_key("3f" + "0" * 62, "jpg") == f"photos/3f/3f{'0' * 62}.jpg"


def test_every_format_has_its_extension_among_the_suffixes_of_photos() -> None:
    assert {f".{extension}" for extension in photos.EXTENSIONS.values()} < SUFFIXES
    assert set(photos.EXTENSIONS) == set(photos.FORMATS)
