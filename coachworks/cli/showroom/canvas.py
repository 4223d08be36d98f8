"""A canvas for shapes with smooth edges: drawn at twice the size in their own frame, then reduced."""

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from coachworks.cli.showroom.paint import Colour

WIDTH_PX, HEIGHT_PX = 320, 240
_SCALE = 2  # supersampling: four samples per pixel

Points = NDArray[np.float64]


class Canvas:
    """A picture under construction.

    Attributes:
        image: The picture so far, RGB, at twice the photo's size.
        frame: Homography from the coordinates that shapes are given in to photo pixels, float64, shape (3, 3).
    """

    def __init__(self) -> None:
        self.image = Image.new("RGB", (WIDTH_PX * _SCALE, HEIGHT_PX * _SCALE))
        self.frame = np.eye(3)
        self._pen = ImageDraw.Draw(self.image)

    def photo(self) -> Image.Image:
        """Return the picture at the photo's size: each pixel is the mean of its samples."""
        return self.image.reduce(_SCALE)

    def place(self, points: ArrayLike) -> Points:
        """Return points of the frame in samples of the image, shape (N, 2)."""
        flat = np.asarray(points, dtype=np.float64)
        mapped = flat @ self.frame[:, :2].T + self.frame[:, 2]
        return mapped[:, :2] / mapped[:, 2:] * _SCALE

    def polygon(self, points: ArrayLike, fill: Colour) -> None:
        """Draw a filled polygon."""
        self._pen.polygon(self.place(points).ravel().tolist(), fill=fill)

    def line(self, points: ArrayLike, fill: Colour, width: float) -> None:
        """Draw a line through `points`, `width` photo pixels wide."""
        self._pen.line(
            self.place(points).ravel().tolist(), fill=fill, width=max(1, round(width * _SCALE)), joint="curve"
        )

    def glass(self, points: ArrayLike, fill: Colour, opacity: float) -> None:
        """Draw a translucent polygon; `opacity` in [0, 1]."""
        corner, mask = self._mask(self.place(points), round(opacity * 255))
        if mask is not None:
            self.image.paste(fill, (*corner, corner[0] + mask.width, corner[1] + mask.height), mask)

    def shaded(self, points: ArrayLike, stops: Sequence[tuple[float, Colour]]) -> None:
        """Draw a polygon whose colour changes from top (0) to bottom (1) according to `stops`."""
        corner, mask = self._mask(self.place(points), 255)
        if mask is not None:
            self.image.paste(gradient(mask.size, stops), corner, mask)

    def glow(self, centre: tuple[float, float], radius: tuple[float, float], fill: Colour, opacity: float) -> None:
        """Draw a soft ellipse, strongest in the middle; `radius` across and down in photo pixels."""
        (x, y), *_ = self.place([centre])
        width, height = max(2, round(radius[0] * 2 * _SCALE)), max(2, round(radius[1] * 2 * _SCALE))
        mask = _soft_disc(round(opacity, 2)).resize((width, height), Image.Resampling.BILINEAR)
        self.image.paste(fill, (round(x - width / 2), round(y - height / 2)), mask)

    def text(self, centre: tuple[float, float], words: str, height: float, fill: Colour) -> None:
        """Write words around `centre`, `height` high in units of the frame, tilted with the frame, never mirrored."""
        at, above, beside = self.place([centre, (centre[0], centre[1] + height), (centre[0] + height, centre[1])])
        x, y = at
        along = (beside - at) * (1 if beside[0] > x else -1)
        tilt = -float(np.degrees(np.arctan2(along[1], along[0])))
        size = round(float(np.hypot(*(above - at))) * 1.25)
        if size < 5:
            return  # smaller than a pixel's worth of strokes
        left, top, right, bottom = font(size).getbbox(words)
        mask = Image.new("L", (round(right - left) + 8, round(bottom - top) + 8))
        ImageDraw.Draw(mask).text((4 - left, 4 - top), words, fill=255, font=font(size))
        if abs(tilt) > 0.5:
            mask = mask.rotate(tilt, Image.Resampling.BICUBIC, expand=True)
        self.image.paste(fill, (round(x - mask.width / 2), round(y - mask.height / 2)), mask)

    def _mask(self, samples: Points, level: int) -> tuple[tuple[int, int], Image.Image | None]:
        low = np.maximum(np.floor(samples.min(axis=0)), 0).astype(int)
        high = np.minimum(np.ceil(samples.max(axis=0)) + 1, self.image.size).astype(int)
        corner = (int(low[0]), int(low[1]))
        width, height = (int(length) for length in high - low)
        if width <= 0 or height <= 0:
            return corner, None
        mask = Image.new("L", (width, height))
        ImageDraw.Draw(mask).polygon((samples - low).ravel().tolist(), fill=level)
        return corner, mask


def gradient(size: tuple[int, int], stops: Sequence[tuple[float, Colour]]) -> Image.Image:
    """Return an image whose colour changes from top (0) to bottom (1) according to `stops`."""
    width, height = size
    at = np.linspace(0, 1, height)
    places, colours = zip(*stops, strict=True)
    column = np.stack([np.interp(at, places, channel) for channel in zip(*colours, strict=True)], axis=-1)
    return Image.fromarray(column.round().astype(np.uint8)[:, None, :]).resize(
        (width, height), Image.Resampling.NEAREST
    )


def smooth(points: ArrayLike, *, rounds: int = 3, closed: bool = True) -> Points:
    """Return a curve along a polygon: corners cut `rounds` times (Chaikin 1974); a doubled corner stays sharper."""
    curve = np.asarray(points, dtype=np.float64)
    for _ in range(rounds):
        following = np.roll(curve, -1, axis=0)
        cut = np.stack([0.75 * curve + 0.25 * following, 0.25 * curve + 0.75 * following], axis=1)
        curve = cut.reshape(-1, 2) if closed else np.concatenate([curve[:1], cut[:-1].reshape(-1, 2), curve[-1:]])
    return curve


def ellipse(
    centre: tuple[float, float], radius: tuple[float, float] | float, start: float = 0, end: float = 360
) -> Points:
    """Return points of an ellipse, or of an arc from `start` to `end`, in degrees counter-clockwise from the right."""
    return _arc(start, end) * radius + centre


def grown(points: ArrayLike, factor: float) -> Points:
    """Return the shape around the same centre, larger by `factor`."""
    shape = np.asarray(points, dtype=np.float64)
    centre: Points = shape.mean(axis=0)
    return centre + (shape - centre) * factor


def box(left: float, top: float, right: float, bottom: float) -> Points:
    """Return the corners of a rectangle."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def rounded(left: float, top: float, right: float, bottom: float, radius: float) -> Points:
    """Return the outline of a rectangle with round corners."""
    turn = np.radians(np.linspace(0, 90, 7))
    bend = np.stack([1 - np.cos(turn), 1 - np.sin(turn)], axis=-1) * radius
    inward = np.array([1.0, np.sign(bottom - top)])
    parts = [
        np.array([right, top]) + bend * inward * [-1, 1],
        (np.array([right, bottom]) + bend * inward * [-1, -1])[::-1],
        np.array([left, bottom]) + bend * inward * [1, -1],
        (np.array([left, top]) + bend * inward)[::-1],
    ]
    return np.concatenate([part[::-1] for part in parts])


@functools.cache
def font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the typeface of Pillow in a size."""
    return ImageFont.load_default(size_px)


@functools.cache
def _soft_disc(opacity: float) -> Image.Image:
    axis = np.linspace(-1, 1, 64)
    distance = np.hypot(axis[:, None], axis[None, :])
    return Image.fromarray((np.clip(1 - distance, 0, 1) ** 1.5 * 255 * opacity).astype(np.uint8))


@functools.cache
def _arc(start: float, end: float) -> Points:
    angle = np.radians(np.linspace(start, end, 49))
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)
