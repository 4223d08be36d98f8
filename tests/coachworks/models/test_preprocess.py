import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from coachworks.errors import PhotoError
from coachworks.models.backbone import BackboneSpec
from coachworks.models.preprocess import PREPROCESSING, decoded, features_input, preprocess

SPEC = BackboneSpec(
    name="made-up",
    digest="0" * 64,
    input_px=32,
    mean=(0.5, 0.25, 0.0),
    std=(0.5, 0.25, 1.0),
    resampling="bilinear",
    fit="squash",
    dimensions=8,
    onnx_sha256="0" * 64,
    preprocessing=PREPROCESSING,
)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_values_are_normalised_per_channel_channels_first() -> None:
    got = preprocess(Image.new("RGB", (50, 40), (255, 0, 51)), SPEC)
    assert (got.shape, got.dtype) == ((3, 32, 32), np.float32)
    assert got[:, 0, 0] == pytest.approx([1.0, -1.0, 0.2], abs=1e-6)
    assert np.ptp(got.reshape(3, -1), axis=1).max() == 0


def test_a_given_row_of_a_batch_is_filled() -> None:
    image = Image.new("RGB", (50, 40), "green")
    batch = np.zeros((2, 3, 32, 32), np.float32)
    preprocess(image, SPEC, out=batch[1])
    assert np.array_equal(batch[1], preprocess(image, SPEC))
    assert not batch[0].any()


@pytest.mark.parametrize("resampling", ["bilinear", "bicubic", "lanczos", "box"])
def test_resizing_is_antialiased(resampling: str) -> None:
    """Stripes finer than a pixel of the result become grey, never moiré."""
    stripes = np.zeros((320, 320, 3), np.uint8)
    stripes[:, ::2] = 255
    spec = dataclasses.replace(SPEC, resampling=resampling, mean=(0, 0, 0), std=(1, 1, 1))
    inner = preprocess(Image.fromarray(stripes), spec)[:, 2:-2, 2:-2]
    assert np.abs(inner - 0.5).max() < 0.02


def test_squash_keeps_the_whole_photo_and_crop_its_centre() -> None:
    wide = Image.new("RGB", (120, 40), "red")
    wide.paste("blue", (40, 0, 80, 40))
    squashed = preprocess(wide, SPEC)
    cropped = preprocess(wide, dataclasses.replace(SPEC, fit="crop"))
    assert squashed[0, 16, 0] > 0.9
    assert squashed[0, 16, 16] < -0.9
    assert cropped[0, :, 2:-2].max() < -0.9


def test_the_camera_s_orientation_is_obeyed() -> None:
    tall = Image.new("RGB", (64, 96), "white")
    tall.paste("black", (0, 0, 64, 48))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    lying = encoded(tall.transpose(Image.Transpose.ROTATE_90), exif=exif)
    assert np.allclose(features_input(lying, SPEC), features_input(encoded(tall), SPEC))


@pytest.mark.parametrize(("kind", "size"), [("JPEG", (1000, 700)), ("PNG", (1000, 700)), ("PNG", (3000, 33))])
def test_large_photos_are_brought_down_to_about_twice_what_is_needed(kind: str, size: tuple[int, int]) -> None:
    image = decoded(encoded(Image.new("RGB", size, "red"), kind), SPEC)
    assert SPEC.input_px <= min(image.size) < 2 * SPEC.input_px + 8


def test_small_photos_are_left_as_they_are_and_enlarged_by_the_resize() -> None:
    data = encoded(Image.new("RGB", (9, 5), "red"))
    assert decoded(data, SPEC).size == (9, 5)
    assert features_input(data, SPEC).shape == (3, 32, 32)


def test_the_way_down_does_not_show_in_the_pixels() -> None:
    """Decoding at a fraction of the size looks the same as decoding all and resizing once."""
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize((800, 600), Image.Resampling.BICUBIC)
    data = encoded(smooth, "JPEG", quality=95)
    spec = dataclasses.replace(SPEC, mean=(0, 0, 0), std=(1, 1, 1))
    with Image.open(io.BytesIO(data)) as whole:
        assert np.abs(features_input(data, spec) - preprocess(whole, spec)).mean() < 0.015


def test_the_pixels_are_those_of_this_version_of_the_preprocessing() -> None:
    """Cached features hang on it: when this fails, raise PREPROCESSING and write the new values here."""
    ramp = np.stack(np.meshgrid(np.arange(120), np.arange(90)), axis=-1).astype(np.uint8)
    image = Image.fromarray(np.dstack([ramp, ramp[:, :, :1] * 2]))
    got = features_input(encoded(image), SPEC)
    assert PREPROCESSING == 1
    assert got[:, 0, 0] == pytest.approx([-0.9843137, -0.9686275, 0.0156863], abs=1e-5)
    assert got[:, 31, 31] == pytest.approx([-0.0745098, 0.3803922, 0.9176471], abs=1e-5)


@pytest.mark.parametrize("data", [b"", b"no photo", encoded(Image.new("RGB", (99, 99)))[:60]])
def test_what_is_no_photo_is_refused(data: bytes) -> None:
    with pytest.raises(PhotoError):
        features_input(data, SPEC)


def test_a_spec_survives_json() -> None:
    assert BackboneSpec.from_json({**SPEC.to_json(), "sha256": "more than a spec"}) == SPEC
