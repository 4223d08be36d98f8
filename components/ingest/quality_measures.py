"""Quality measures of a photo, from one small grey copy of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

MEASURED_PX = 256  # shorter side of the grey copy: sharpness of photos of different sizes is comparable


@dataclass(frozen=True)
class Measures:
    """Quality measures.

    Attributes:
        sharpness: Variance of the Laplacian (Pech-Pacheco et al. 2000, doi:10.1109/ICPR.2000.903548) of the grey
            values in [0, 255]; below some 100 a photo looks blurred.
        brightness: Mean grey value, in [0, 1].
        contrast: Standard deviation of the grey values, in [0, 0.5].
        perceptual_hash: Difference hash, 16 hexadecimal digits; see `difference_hash`.
    """

    sharpness: float
    brightness: float
    contrast: float
    perceptual_hash: str


def measure(image: "Image.Image") -> Measures:
    """Measure an upright RGB photo.

    The grey copy (ITU-R 601 luma) has a shorter side of `MEASURED_PX`; smaller photos are not enlarged.
    """
    from PIL import Image

    grey = image.convert("L")
    scale = MEASURED_PX / min(grey.size)
    if scale < 1:
        size = (max(MEASURED_PX, round(grey.width * scale)), max(MEASURED_PX, round(grey.height * scale)))
        grey = grey.resize(size, Image.Resampling.BILINEAR)
    pixels = np.asarray(grey)
    return Measures(
        sharpness=round(_variance_of_laplacian(pixels), 4),
        brightness=round(float(pixels.mean()) / 255, 6),
        contrast=round(float(pixels.std()) / 255, 6),
        perceptual_hash=difference_hash(grey),
    )


def difference_hash(grey: "Image.Image") -> str:
    """Return the 64-bit difference hash of a grey image, 16 hexadecimal digits.

    The image is averaged down to 9×8; each bit, row by row from the top left, most significant first, is 1 where a
    value is less than its right neighbour. Similar photos differ in few bits.
    """
    from PIL import Image

    small = np.asarray(grey.resize((9, 8), Image.Resampling.BOX))
    return np.packbits(small[:, :-1] < small[:, 1:]).tobytes().hex()


def _variance_of_laplacian(pixels: np.ndarray) -> float:
    """Return the variance of the 4-neighbour Laplacian of uint8 values, shape (H, W), without border; or 0."""
    if min(pixels.shape) < 3:
        return 0.0
    grey = pixels.astype(np.int16)  # |4·255| fits
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    return float(laplacian.var())
