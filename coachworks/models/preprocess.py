"""Preprocessing from a photo's bytes to the backbone's input: the same code for training and for serving."""

import math
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from coachworks.errors import PhotoError
from coachworks.photos import Box, Crop, Reason, check_inside, decode_photo
from coachworks.photos.boxes import unprefixed
from coachworks.photos.cost import claim_of
from coachworks.photos.decode import read_photo

PREPROCESSING = 1  # increase it when any pixel changes: cached features are then computed again

_TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}


class Preprocessing(Protocol):
    """The part of `BackboneSpec` that preprocessing needs."""

    @property
    def input_px(self) -> int:
        """Height and width of the backbone's input."""

    @property
    def mean(self) -> tuple[float, float, float]:
        """Mean per channel of values in [0, 1]."""

    @property
    def std(self) -> tuple[float, float, float]:
        """Standard deviation per channel."""

    @property
    def resampling(self) -> str:
        """Filter of the resize."""

    @property
    def fit(self) -> str:
        """`squash` or `crop`."""


def features_input(data: bytes, spec: Preprocessing, crop: Crop | None = None, turn: int = 0) -> NDArray[np.float32]:
    """Return the backbone's input for the photo in `data`.

    Args:
        data: Content of an image file.
        spec: Preprocessing of the backbone.
        crop: The box to which the photo is cropped; None: the whole photo.
        turn: Degrees clockwise by which it is turned after that: 0, 90, 180 or 270.

    Returns:
        float32 of shape (3, input_px, input_px), normalised.

    Raises:
        PhotoError: the file is not a usable photo.
    """
    return preprocess(decoded(data, spec, crop=crop, turn=turn), spec)


def rgb_options(spec: Preprocessing) -> dict[str, Any]:
    """Return what `rgb_input` needs of the backbone's specification, as JSON values."""
    return {"input_px": spec.input_px, "resampling": spec.resampling, "fit": spec.fit}


def rgb_framed_input(data: bytes, *, small_only: bool = False, margin: float, **options: Any) -> bytes:
    """Return the backbone's input as `rgb_input`, for a photo with its frame before it.

    Args:
        data: Result of `coachworks.photos.boxes.prefixed`.
        small_only: As for `decode_photo`.
        margin: As in `Crop`.
        **options: See `rgb_options`.

    Raises:
        PhotoError: the file is not a usable photo, or the box reaches out of it.
    """
    (box, turn), photo = unprefixed(data)
    crop = None if box is None else Crop(box, margin)
    return rgb_input(photo, small_only=small_only, crop=crop, turn=turn, **options)


def rgb_input(
    data: bytes, *, small_only: bool = False, crop: Crop | None = None, turn: int = 0, **options: Any
) -> bytes:
    """Return the photo in `data` in the size of the backbone's input, before it is normalised.

    Args:
        data: Content of an image file.
        small_only: As for `decode_photo`.
        crop: As for `features_input`.
        turn: As for `features_input`.
        **options: See `rgb_options`.

    Returns:
        uint8 of shape (3, input_px, input_px), as bytes.

    Raises:
        PhotoError: the file is not a usable photo.
    """
    spec: Any = SimpleNamespace(**options)
    image = decoded(data, spec, small_only=small_only, crop=crop, turn=turn)
    return b"".join(band.tobytes() for band in resized(image, spec).split())


def normalised_rgb(pixels: bytes | bytearray, spec: Preprocessing) -> NDArray[np.float32]:
    """Return the backbone's input for the result of `rgb_input`: the same values as `features_input`."""
    shape = (3, spec.input_px, spec.input_px)
    return _normalised(np.frombuffer(pixels, np.uint8).reshape(shape), spec, np.empty(shape, np.float32))


def decoded(
    data: bytes, spec: Preprocessing, *, small_only: bool = False, crop: Crop | None = None, turn: int = 0
) -> Image.Image:
    """Decode the photo in `data` to upright RGB, its shorter side between once and about twice the backbone's input.

    Augmented views start from this image. JPEGs are decoded at a reduced scale, which is faster; other formats are
    averaged down by an integer factor, so that the steps after it cost the same for every size of photo.

    With `crop` it is the photo's part in the box, in at least the resolution that the backbone's input needs. Last,
    it is turned by `turn` degrees clockwise.
    """
    if crop is None:
        image = decode_photo(data, at_least_px=spec.input_px, small_only=small_only)
    else:
        image = _cropped(data, spec.input_px, crop, small_only=small_only)
    factor = min(image.size) // spec.input_px
    if factor >= 2:
        image = image.reduce(factor)
    return image.transpose(_TURNS[turn]) if turn else image


def _cropped(data: bytes, input_px: int, crop: Crop, *, small_only: bool) -> Image.Image:
    claim, area = claim_of(data), crop.area
    shorter = max(1.0, min(area.x2 - area.x1, area.y2 - area.y1))
    whole = min(claim.width_px, claim.height_px)
    at_least_px = min(whole, math.ceil(input_px * whole / shorter))
    photo = read_photo(data, at_least_px=at_least_px, small_only=small_only)
    try:
        check_inside(crop.box, photo.width_px, photo.height_px)
    except ValueError as err:
        raise PhotoError(Reason.WRONG_BOX, str(err)) from err
    across, down = photo.image.width / photo.width_px, photo.image.height / photo.height_px
    scaled = Box(area.x1 * across, area.y1 * down, area.x2 * across, area.y2 * down)
    left, top, right, bottom = map(int, scaled.within(*photo.image.size))
    return photo.image.crop((left, top, right, bottom))


def preprocess(
    image: Image.Image, spec: Preprocessing, *, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Convert an RGB photo to the backbone's input: resized with antialiasing, normalised, channels first.

    Args:
        image: The photo, RGB.
        spec: Preprocessing of the backbone.
        out: Array for the result, such as a row of a batch; None: a new array.

    Returns:
        float32 of shape (3, input_px, input_px): (rgb / 255 - mean) / std per channel.
    """
    result = np.empty((3, spec.input_px, spec.input_px), np.float32) if out is None else out
    # Band by band: a third of the cost of transposing the whole image.
    return _normalised([np.asarray(band) for band in resized(image, spec).split()], spec, result)


def _normalised(
    bands: Iterable[NDArray[np.uint8]], spec: Preprocessing, result: NDArray[np.float32]
) -> NDArray[np.float32]:
    scale, shift = scale_and_shift(spec)
    for channel, band in enumerate(bands):
        np.multiply(band, scale[channel], out=result[channel])
        result[channel] += shift[channel]
    return result


def resized(image: Image.Image, spec: Preprocessing) -> Image.Image:
    """Resize an RGB photo to the backbone's input; Pillow's filters widen with the scale, which prevents aliasing."""
    box = None
    if spec.fit == "crop":
        width, height = image.size
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
    return image.resize((spec.input_px, spec.input_px), _FILTERS[spec.resampling], box=box)


def scale_and_shift(spec: Preprocessing) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the normalisation as rgb · scale + shift, float32 of shape (3,) each."""
    mean, std = np.asarray(spec.mean, np.float64), np.asarray(spec.std, np.float64)
    return (1 / (255 * std)).astype(np.float32), (-mean / std).astype(np.float32)
