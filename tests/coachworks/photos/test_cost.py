import crafted_photos
import pytest
from crafted_photos import KINDS, SMALL

from coachworks.errors import PhotoError
from coachworks.photos import MAX_DECODE_BYTES, Reason, decode_cost

# Crafted files that are cheap at this size, or whose costly part is never read.
CHEAP = {
    "bmp_claim", "bmp_empty_runs", "gif_claim", "gif_frames", "gif_tiny_blocks", "jpeg_claim", "jpeg_cmyk_claim",
    "jpeg_exif_values", "jpeg_fill_bytes", "jpeg_junk_bytes", "jpeg_photoshop_resources", "jpeg_pictures",
    "jpeg_progressive_claim", "png_alpha_claim", "png_empty_blocks", "png_exif_values", "png_frames", "png_grey_claim",
    "png_palette_claim", "png_texts", "tiff_bits", "tiff_deflate_claim", "tiff_directories", "tiff_fax_claim",
    "tiff_float_claim", "tiff_integer_claim", "tiff_loop", "tiff_lzw_claim", "tiff_packed_claim", "tiff_small_tiles",
    "tiff_thin_strips", "tiff_values", "webp_exif_values", "webp_frames",
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


def test_the_same_seed_draws_the_same_files() -> None:
    assert crafted_photos.mix(5, seed=3, sizes=(1000,)) == crafted_photos.mix(5, seed=3, sizes=(1000,))
