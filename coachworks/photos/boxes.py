"""Frames of photos: where a table, or a client of the service, says that the thing is, and which way is up."""

import json
import math
import struct
from typing import Any, NamedTuple

_PREFIX = struct.Struct("<5d")
TURNS = (0, 90, 180, 270)


class Box(NamedTuple):
    """A rectangle in pixels of the upright photo, from the left and the top; x2 and y2 lie outside of it."""

    x1: float
    y1: float
    x2: float
    y2: float

    def __str__(self) -> str:
        return ",".join(f"{number:g}" for number in self)

    def with_margin(self, margin: float) -> "Box":
        """Return the box with a share of its width and height added on each side; it may leave the photo."""
        width, height = margin * (self.x2 - self.x1), margin * (self.y2 - self.y1)
        return Box(self.x1 - width, self.y1 - height, self.x2 + width, self.y2 + height)

    def within(self, width_px: int, height_px: int) -> "Box":
        """Return the part of the box that lies in a photo, on whole pixels; at least one of them."""
        left = min(max(round(self.x1), 0), width_px - 1)
        top = min(max(round(self.y1), 0), height_px - 1)
        right, bottom = min(round(self.x2), width_px), min(round(self.y2), height_px)
        return Box(left, top, max(right, left + 1), max(bottom, top + 1))


class Crop(NamedTuple):
    """A box to which a photo is cropped.

    Attributes:
        box: The box.
        margin: Share of its width and height that is added on each side, as far as the photo goes.
        moved: Share of its width or height by which each side moves, to the right or down.
    """

    box: Box
    margin: float = 0.0
    moved: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    @property
    def area(self) -> Box:
        """The box, moved, with its margin; it may leave the photo."""
        width, height = self.box.x2 - self.box.x1, self.box.y2 - self.box.y1
        sides = zip(self.box, self.moved, (width, height, width, height), strict=True)
        return Box(*(side + share * length for side, share, length in sides)).with_margin(self.margin)


class Frame(NamedTuple):
    """The part of a photo to look at, and how to turn it.

    Attributes:
        box: The box to which it is cropped; None: the whole photo.
        turn: Degrees clockwise by which it is turned after that, one of `TURNS`.
    """

    box: Box | None = None
    turn: int = 0


WHOLE = Frame()


def parse_turn(value: Any) -> int:
    """Read a rotation as tables and requests write it.

    Raises:
        ValueError: it is none of `TURNS`; the message says rule and value.

    >>> parse_turn("90"), parse_turn(270.0)
    (90, 270)
    """
    try:
        degrees = float(value)
    except (TypeError, ValueError):
        degrees = math.nan
    if degrees not in TURNS:
        raise ValueError(f"a rotation must be 0, 90, 180 or 270 degrees clockwise; got {value!r}")
    return int(degrees)


def parse_box(value: Any) -> Box:
    """Read a box as tables and requests write it: four numbers x1, y1, x2, y2, as text or as a list.

    Raises:
        ValueError: it is not four numbers, or has no area; the message says rule and value.

    >>> parse_box("[10, 20, 110.5, 80]")
    Box(x1=10.0, y1=20.0, x2=110.5, y2=80.0)
    """
    numbers = value
    if isinstance(value, str):
        text = value.strip()
        try:
            numbers = json.loads(text) if text.startswith("[") else text.replace(",", " ").replace(";", " ").split()
        except ValueError:
            numbers = ()
    try:
        box = Box(*(float(number) for number in numbers))
    except (TypeError, ValueError):
        raise ValueError(f"a box must be four numbers x1,y1,x2,y2; got {value!r}") from None
    if not all(math.isfinite(number) for number in box):
        raise ValueError(f"a box must be four finite numbers x1,y1,x2,y2; got {value!r}")
    if box.x2 <= box.x1 or box.y2 <= box.y1:
        raise ValueError(f"a box x1,y1,x2,y2 must have x1 < x2 and y1 < y2; got {str(box)!r}")
    return box


def check_inside(box: Box, width_px: int, height_px: int) -> None:
    """Raise if a box reaches out of its photo.

    Raises:
        ValueError: it does; the message says rule and value.
    """
    if box.x1 < 0 or box.y1 < 0 or box.x2 > width_px or box.y2 > height_px:
        raise ValueError(
            f"a box must lie inside its photo, which is {width_px} × {height_px} pixels upright; got {str(box)!r}"
        )


def prefixed(frame: Frame, photo: bytes) -> bytes:
    """Return a photo's bytes with its frame before them, which `unprefixed` takes apart."""
    return _PREFIX.pack(*(frame.box or (math.nan,) * 4), frame.turn) + photo


def unprefixed(data: bytes) -> tuple[Frame, bytes]:
    """Return the frame and the photo of the result of `prefixed`."""
    *sides, turn = _PREFIX.unpack_from(data)
    box = Box(*sides)
    return Frame(None if math.isnan(box.x1) else box, int(turn)), data[_PREFIX.size :]
