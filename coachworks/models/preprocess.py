"""From a photo's bytes to what the backbone takes in: the very same code for training and for serving."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from coachworks.photos import decode_photo

PREPROCESSING = 1  # raise it when any pixel changes: cached features are then made afresh

_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}


class Preprocessing(Protocol):
    """The part of a backbone's spec that this module reads."""

    @property
    def input_px(self) -> int:
        """Height and width that the backbone takes."""

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


def features_input(data: bytes, spec: Preprocessing) -> NDArray[np.float32]:
    """What the backbone takes in for the photo in `data`.

    Args:
        data: Content of an image file.
        spec: The backbone's.

    Returns:
        float32 of shape (3, input_px, input_px), normalised.

    Raises:
        PhotoError: the file is not a usable photo.
    """
    return preprocess(decoded(data, spec), spec)


def decoded(data: bytes, spec: Preprocessing) -> Image.Image:
    """The photo in `data` as upright RGB, its shorter side between once and about twice what the backbone takes.

    Augmented views start from here. JPEGs are decoded at a fraction of their size for a fraction of the cost; other
    formats are averaged down by a whole factor, so that a large photo costs the same from then on.
    """
    image = decode_photo(data, at_least_px=spec.input_px)
    factor = min(image.size) // spec.input_px
    return image.reduce(factor) if factor >= 2 else image


def preprocess(
    image: Image.Image, spec: Preprocessing, *, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """An RGB photo as the backbone takes it in: resized with antialiasing, normalised, channels first.

    Args:
        image: The photo, RGB.
        spec: The backbone's.
        out: Where to write the result, such as a row of a batch; None for a new array.

    Returns:
        float32 of shape (3, input_px, input_px): (rgb / 255 - mean) / std per channel.
    """
    result = np.empty((3, spec.input_px, spec.input_px), np.float32) if out is None else out
    scale, shift = scale_and_shift(spec)
    for channel, band in enumerate(
        resized(image, spec).split()
    ):  # a band at a time: a third of a transposed copy's cost
        np.multiply(np.asarray(band), scale[channel], out=result[channel])
        result[channel] += shift[channel]
    return result


def resized(image: Image.Image, spec: Preprocessing) -> Image.Image:
    """An RGB photo of the size that the backbone takes; Pillow's filters widen with the scale, so nothing aliases."""
    box = None
    if spec.fit == "crop":
        width, height = image.size
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
    return image.resize((spec.input_px, spec.input_px), _FILTERS[spec.resampling], box=box)


def scale_and_shift(spec: Preprocessing) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Normalising as one product and one sum per channel: rgb · scale + shift, float32 of shape (3,) each."""
    mean, std = np.asarray(spec.mean, np.float64), np.asarray(spec.std, np.float64)
    return (1 / (255 * std)).astype(np.float32), (-mean / std).astype(np.float32)
