import time
from contextlib import suppress

import crafted_photos
import pytest
from crafted_parts import jpeg_frame, jpeg_scan, jpeg_tables
from crafted_photos import KINDS, SMALL
from hypothesis import event, given, settings
from hypothesis import strategies as st

from coachworks.errors import PhotoError
from coachworks.photos import MAX_DECODE_BYTES, Reason, decode_cost, decode_photo

# Crafted files that are cheap at this size, or whose costly part is never read.
CHEAP = {
    "bmp_claim", "bmp_empty_runs", "gif_claim", "gif_frames", "gif_tiny_blocks", "jpeg_claim", "jpeg_cmyk_claim",
    "jpeg_fill_bytes", "jpeg_junk_bytes", "jpeg_photoshop_resources", "jpeg_pictures",
    "jpeg_progressive_claim", "png_alpha_claim", "png_empty_blocks", "png_frames", "png_grey_claim",
    "png_palette_claim", "png_texts", "tiff_bits", "tiff_deflate_claim", "tiff_directories", "tiff_fax_claim",
    "tiff_float_claim", "tiff_integer_claim", "tiff_loop", "tiff_lzw_claim", "tiff_packed_claim", "tiff_small_tiles",
    "tiff_thin_strips", "webp_frames",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(KINDS.keys() - CHEAP))
def test_a_crafted_file_is_refused_before_a_decoder_sees_it(name: str) -> None:
    with pytest.raises(
        PhotoError, match=r"must (have|take) at most \d+ .*(Save it again as JPEG|Scale it down)"
    ) as caught:
        decode_cost(KINDS[name](SMALL), at_least_px=256)
    assert caught.value.reason == Reason.TOO_COSTLY


@pytest.mark.parametrize("name", sorted(CHEAP))
def test_a_crafted_file_that_is_cheap_is_let_through(name: str) -> None:
    assert decode_cost(KINDS[name](SMALL), at_least_px=256).memory_bytes <= MAX_DECODE_BYTES


@pytest.mark.parametrize(
    "name", ["bmp_empty_runs", "jpeg_fill_bytes", "jpeg_junk_bytes", "png_texts", "tiff_thin_strips"]
)
def test_a_photo_in_thousands_of_parts_is_a_large_one(name: str) -> None:
    assert decode_cost(KINDS[name](SMALL)).large
    assert not decode_cost(KINDS[name](4_000)).large


def test_the_same_seed_draws_the_same_files() -> None:
    assert crafted_photos.mix(5, seed=3, sizes=(1000,)) == crafted_photos.mix(5, seed=3, sizes=(1000,))


HEADS = [
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"MM\0+",
    b"RIFF\0\0\0\0WEBPVP8X",
]


@settings(max_examples=60, deadline=None)
@given(head=st.sampled_from(HEADS), rest=st.binary(max_size=400))
def test_any_bytes_have_a_cost_or_a_reason(head: bytes, rest: bytes) -> None:
    try:
        decode_cost(head + rest)
    except PhotoError as err:
        event(str(Reason(err.reason)))


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(KINDS)), data=st.data())
def test_any_change_of_a_crafted_file_leaves_a_cost_or_a_reason(name: str, data: st.DataObject) -> None:
    content = bytearray(KINDS[name](400)[:5000])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_cost(bytes(content))
    except PhotoError as err:
        event(str(Reason(err.reason)))


@pytest.mark.parametrize("filling", [b"\xff", b"\xff\0", b"\xff\xff\xda", b"\0", b"\xff\xd0"])
def test_the_search_for_markers_is_fast_whatever_the_data_are(filling: bytes) -> None:
    scan = jpeg_frame(0xC2, 64, 48) + jpeg_scan(first=1)
    content = b"\xff\xd8" + scan + filling * (10_000_000 // len(filling)) + b"\xff\xd9"
    spent = []
    for _ in range(3):
        began = time.process_time()
        with suppress(PhotoError):
            decode_cost(content)
        spent.append(time.process_time() - began)
    assert min(spent) < 0.2


def test_a_decoder_that_reads_another_size_than_the_structure_is_not_used() -> None:
    frames = jpeg_frame(0xC0, 64, 48, 3) + jpeg_frame(0xDE, 9000, 8000, 3)
    with pytest.raises(PhotoError, match="truncated or damaged"):
        decode_photo(b"\xff\xd8" + jpeg_tables() + frames + jpeg_scan(3) + b"\xff\xd9")
