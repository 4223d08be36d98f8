"""Flaws of photos: the noise and tint of every camera, and the visible damages that `image-quality` tells apart."""

import functools
import io
import random
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from coachworks.cli.showroom.canvas import HEIGHT_PX, WIDTH_PX


def develop(photo: Image.Image, rng: random.Random) -> Image.Image:
    """Return the photo as a camera would take it: with exposure, tint, darker corners and noise."""
    exposure, warmth = rng.uniform(0.9, 1.08), rng.uniform(-0.05, 0.05)
    gains = np.array([exposure * (1 + warmth), exposure, exposure * (1 - warmth)], dtype=np.float32)
    noise = _noise()
    top, left = rng.randrange(noise.shape[0] - HEIGHT_PX), rng.randrange(noise.shape[1] - WIDTH_PX)
    pixels = np.asarray(photo, dtype=np.float32) * gains
    pixels *= _corners()
    pixels += noise[top : top + HEIGHT_PX, left : left + WIDTH_PX] * np.float32(rng.uniform(0.4, 1.3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def damage(photo: Image.Image, quality: str, rng: random.Random) -> Image.Image:
    """Return the photo with the damage called `quality`, one of `QUALITIES`."""
    return QUALITIES[quality](photo, rng)


def _good(photo: Image.Image, rng: random.Random) -> Image.Image:
    return photo


def _blurry(photo: Image.Image, rng: random.Random) -> Image.Image:
    if rng.random() < 0.6:
        return photo.filter(ImageFilter.GaussianBlur(rng.uniform(2.0, 3.6)))
    along = rng.uniform(5, 9)
    return photo.filter(ImageFilter.BoxBlur((along, 0.8) if rng.random() < 0.7 else (0.8, along)))


def _low_resolution(photo: Image.Image, rng: random.Random) -> Image.Image:
    factor = rng.uniform(4.2, 6.4)
    small = photo.resize((round(WIDTH_PX / factor), round(HEIGHT_PX / factor)), Image.Resampling.BOX)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=rng.randint(45, 80))
    return Image.open(buffer).resize(photo.size, Image.Resampling.NEAREST)


def _distorted(photo: Image.Image, rng: random.Random) -> Image.Image:
    pixels = np.asarray(photo)
    y, x = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX].astype(np.float32)
    kind = rng.choice(["wave", "lens", "tear"])
    if kind == "wave":
        x = x + rng.uniform(8, 15) * np.sin(y / rng.uniform(9, 20) + rng.uniform(0, 6))
        y = y + rng.uniform(3, 8) * np.sin(x / rng.uniform(18, 40))
    elif kind == "lens":
        across, down = (x - WIDTH_PX / 2) / 160, (y - HEIGHT_PX / 2) / 120
        bend = 0.52 + rng.uniform(0.42, 0.62) * (across**2 + down**2)
        x, y = WIDTH_PX / 2 + across * bend * 160, HEIGHT_PX / 2 + down * bend * 120
    else:
        edges = np.sort([rng.randrange(HEIGHT_PX) for _ in range(rng.randint(6, 12))])
        shifts = np.array([rng.choice([0, 0, 1, -1]) * rng.uniform(18, 70) for _ in range(len(edges) + 1)])
        x = x + shifts[np.searchsorted(edges, np.arange(HEIGHT_PX))][:, None]
        shifted = pixels[:, np.clip(np.arange(WIDTH_PX) + rng.randint(5, 10), 0, WIDTH_PX - 1)]
        pixels = np.stack([pixels[..., 0], pixels[..., 1], shifted[..., 2]], axis=-1)
    rows, columns = y.round().astype(np.intp), x.round().astype(np.intp)
    inside = (rows >= 0) & (rows < HEIGHT_PX) & (columns >= -WIDTH_PX) & (columns < 2 * WIDTH_PX)
    bent = pixels[
        np.clip(rows, 0, HEIGHT_PX - 1), columns % WIDTH_PX if kind == "tear" else np.clip(columns, 0, WIDTH_PX - 1)
    ]
    if kind == "lens":
        inside &= (columns >= 0) & (columns < WIDTH_PX)
        bent = np.where(inside[..., None], bent, 0)
    return Image.fromarray(np.ascontiguousarray(bent.astype(np.uint8)))


@functools.cache
def _corners() -> NDArray[np.float32]:
    y, x = np.mgrid[-1 : 1 : HEIGHT_PX * 1j, -1 : 1 : WIDTH_PX * 1j]
    falloff: NDArray[np.float32] = (1 - 0.10 * (x**2 + y**2))[..., None].astype(np.float32)
    return falloff


@functools.cache
def _noise() -> NDArray[np.float32]:
    generator = np.random.default_rng(20)
    grain = generator.normal(0, 3.4, (HEIGHT_PX + 64, WIDTH_PX + 64, 1)) + generator.normal(
        0, 2.0, (HEIGHT_PX + 64, WIDTH_PX + 64, 3)
    )
    return grain.astype(np.float32)


QUALITIES: dict[str, Callable[[Image.Image, random.Random], Image.Image]] = {
    "good": _good,
    "blurry": _blurry,
    "low-resolution": _low_resolution,
    "distorted": _distorted,
}
