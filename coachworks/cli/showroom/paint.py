"""Colours: the paints of the cars, and light and shade on them."""

import colorsys
import random

Colour = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
RUBBER: Colour = (26, 26, 29)
CHROME: Colour = (205, 208, 214)

# name -> hue, saturation, value; and the largest deviation of each
PAINTS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "white": ((0.12, 0.02, 0.95), (0.1, 0.015, 0.03)),
    "black": ((0.62, 0.15, 0.13), (0.1, 0.1, 0.04)),
    "red": ((0.995, 0.86, 0.74), (0.012, 0.08, 0.10)),
    "blue": ((0.605, 0.80, 0.66), (0.03, 0.12, 0.14)),
    "green": ((0.39, 0.66, 0.45), (0.05, 0.12, 0.12)),
    "yellow": ((0.135, 0.85, 0.92), (0.014, 0.08, 0.05)),
}


def paint(name: str, rng: random.Random) -> Colour:
    """Return a random shade of the paint `name`."""
    middle, stray = PAINTS[name]
    hue, saturation, value = (centre + rng.uniform(-by, by) for centre, by in zip(middle, stray, strict=True))
    return from_hsv(hue, saturation, value)


def from_hsv(hue: float, saturation: float, value: float) -> Colour:
    """Return a colour by hue, saturation and value, each in [0, 1]."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return round(red * 255), round(green * 255), round(blue * 255)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Return `one` mixed with a share of `other`, in [0, 1].

    >>> mix((0, 0, 0), (255, 255, 255), 0.2)
    (51, 51, 51)
    """
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def lighter(colour: Colour, share: float) -> Colour:
    """Return `colour` with a share of white."""
    return mix(colour, WHITE, share)


def darker(colour: Colour, share: float) -> Colour:
    """Return `colour` with a share of black."""
    return mix(colour, BLACK, share)


def gloss(colour: Colour) -> list[tuple[float, Colour]]:
    """Return the reflections on a painted body, from top to bottom: sky, a bright shoulder, the ground."""
    return [
        (0.0, lighter(colour, 0.42)),
        (0.18, lighter(colour, 0.16)),
        (0.46, colour),
        (0.52, lighter(colour, 0.24)),
        (0.60, colour),
        (0.82, darker(colour, 0.28)),
        (1.0, darker(colour, 0.52)),
    ]
