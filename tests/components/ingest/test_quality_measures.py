import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from components.ingest.quality_measures import MEASURED_PX, difference_hash, measure


def picture(width=400, height=300, seed=0):
    """Soft blobs with sharp edges: something like a photo."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((width, height), Image.NEAREST)
    return coarse.filter(ImageFilter.GaussianBlur(1))


def distance(first, second):
    return (int(first, 16) ^ int(second, 16)).bit_count()


def reference(image):
    """The definition, slowly."""
    grey = image.convert("L")
    scale = MEASURED_PX / min(grey.size)
    if scale < 1:
        grey = grey.resize([max(MEASURED_PX, round(side * scale)) for side in grey.size], Image.BILINEAR)
    pixels = np.asarray(grey, dtype=float)
    height, width = pixels.shape
    laplacian = [
        pixels[y - 1, x] + pixels[y + 1, x] + pixels[y, x - 1] + pixels[y, x + 1] - 4 * pixels[y, x]
        for y in range(1, height - 1)
        for x in range(1, width - 1)
    ]
    return np.var(laplacian), pixels.mean() / 255, pixels.std() / 255


@pytest.mark.parametrize("size", [(300, 280), (64, 48), (257, 700)])
def test_measures_are_as_defined(size):
    image = picture(*size)
    measures = measure(image)
    expected = reference(image)
    assert (measures.sharpness, measures.brightness, measures.contrast) == pytest.approx(expected, rel=1e-3)


def test_blur_lowers_sharpness_and_nothing_else():
    sharp, blurred = measure(picture()), measure(picture().filter(ImageFilter.GaussianBlur(4)))
    assert blurred.sharpness < 0.2 * sharp.sharpness
    assert blurred.brightness == pytest.approx(sharp.brightness, abs=0.02)
    assert distance(sharp.perceptual_hash, blurred.perceptual_hash) <= 4


def test_sharpness_hardly_depends_on_the_size_of_the_file():
    large = picture(1600, 1200).filter(ImageFilter.GaussianBlur(8))
    small = large.resize((800, 600), Image.LANCZOS)
    assert measure(small).sharpness == pytest.approx(measure(large).sharpness, rel=0.1)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_plain_photo_has_its_brightness_and_nothing_else(value):
    measures = measure(Image.new("RGB", (300, 300), (value,) * 3))
    assert measures.brightness == pytest.approx(value / 255, abs=1e-6)
    assert (measures.sharpness, measures.contrast, measures.perceptual_hash) == (0, 0, "0" * 16)


def test_contrast_is_at_most_a_half():
    pixels = np.zeros((300, 300, 3), dtype=np.uint8)
    pixels[:, 150:] = 255
    assert measure(Image.fromarray(pixels)).contrast == pytest.approx(0.5, abs=0.01)


@given(st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_the_smallest_photos_can_be_measured(width, height):
    measures = measure(picture(width, height))
    assert measures.sharpness >= 0
    assert len(measures.perceptual_hash) == 16


def test_the_bits_of_the_hash_mark_where_brightness_rises_to_the_right():
    ramp = np.tile(np.linspace(0, 255, 90).astype(np.uint8), (80, 1))
    assert difference_hash(Image.fromarray(ramp)) == "f" * 16
    assert difference_hash(Image.fromarray(ramp[:, ::-1])) == "0" * 16
    half = ramp.copy()
    half[40:] = 0
    assert difference_hash(Image.fromarray(half)) == "f" * 8 + "0" * 8


def test_like_photos_have_like_hashes_and_others_do_not():
    first = picture()
    edited = first.resize((300, 225), Image.BICUBIC).point(lambda value: min(255, int(value * 1.1)))
    assert distance(measure(first).perceptual_hash, measure(edited).perceptual_hash) <= 6
    others = [measure(picture(seed=seed)).perceptual_hash for seed in range(1, 8)]
    assert min(distance(measure(first).perceptual_hash, other) for other in others) > 10
