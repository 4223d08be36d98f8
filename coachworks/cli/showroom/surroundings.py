"""Surroundings of a car: the showroom, a street by day or night, a meadow, snow."""

import random
from collections.abc import Callable

import numpy as np

from coachworks.cli.showroom.canvas import HEIGHT_PX, WIDTH_PX, Canvas, box, ellipse, smooth
from coachworks.cli.showroom.paint import WHITE, Colour, darker, from_hsv, lighter, mix


def draw_surroundings(canvas: Canvas, name: str, horizon_px: float, rng: random.Random) -> None:
    """Fill the canvas with the place `name`, one of `PLACES`, with the ground from `horizon_px` below the top."""
    PLACES[name](canvas, horizon_px, rng)


def _fill(canvas: Canvas, top: float, bottom: float, *colours: Colour) -> None:
    stops = [(index / (len(colours) - 1), colour) for index, colour in enumerate(colours)]
    canvas.shaded(box(-2, top, WIDTH_PX + 2, bottom), stops)


def _showroom(canvas: Canvas, horizon: float, rng: random.Random) -> None:
    warmth = from_hsv(rng.choice([0.08, 0.58, 0.6]), rng.uniform(0.02, 0.10), rng.uniform(0.78, 0.95))
    _fill(canvas, 0, horizon, darker(warmth, 0.30), warmth, darker(warmth, 0.08))
    width = rng.uniform(46, 90)
    start = rng.uniform(-width, 0)
    glazed = rng.random() < 0.5
    for left in np.arange(start, WIDTH_PX, width):
        if glazed:
            canvas.shaded(
                box(left + 3, 34, left + width - 3, horizon - 6),
                [(0, (196, 214, 228)), (0.7, (228, 234, 236)), (1, (188, 196, 190))],
            )
        canvas.line([(left, 26), (left, horizon)], darker(warmth, 0.25), 1.2)
    accent = from_hsv(rng.random(), 0.7, 0.6)
    canvas.polygon(box(0, 20, WIDTH_PX, 27), darker(warmth, 0.45))
    if rng.random() < 0.6:
        at = rng.uniform(20, 240)
        canvas.polygon(box(at, 34, at + 62, 58), accent)
        canvas.text((at + 31, 46), rng.choice(["SALE", "NEW", "DRIVE", "HELLO", "2 0 2 6"]), 11, WHITE)
    for _ in range(rng.randint(3, 6)):
        at = rng.uniform(0, WIDTH_PX)
        canvas.polygon(box(at - 16, 9, at + 16, 12), WHITE)
        canvas.glow((at, 12), (34, 26), WHITE, 0.8)
    floor = from_hsv(0.08, rng.uniform(0.02, 0.12), rng.uniform(0.55, 0.8))
    _fill(canvas, horizon, HEIGHT_PX + 2, darker(floor, 0.28), floor, lighter(floor, 0.12))
    for at in np.linspace(-300, WIDTH_PX + 300, 14):
        canvas.line([(160 + (at - 160) * 0.45, horizon), (at, HEIGHT_PX)], darker(floor, 0.12), 0.6)
    for _ in range(3):
        canvas.glow((rng.uniform(20, 300), HEIGHT_PX - rng.uniform(8, 34)), (52, 12), WHITE, 0.4)


def _houses(canvas: Canvas, horizon: float, rng: random.Random, *, night: bool) -> None:
    left = rng.uniform(-30, 0)
    while left < WIDTH_PX:
        width, top = rng.uniform(44, 92), rng.uniform(-20, 62)
        wall = from_hsv(rng.choice([0.05, 0.09, 0.11, 0.58, 0.0]), rng.uniform(0.08, 0.42), rng.uniform(0.5, 0.85))
        if night:
            wall = mix(wall, (14, 18, 38), 0.82)
        canvas.shaded(box(left, top, left + width, horizon), [(0, lighter(wall, 0.1)), (1, darker(wall, 0.2))])
        columns = max(2, int(width // 20))
        for row in range(int((horizon - top) // 27)):
            for column in range(columns):
                x = left + width * (column + 0.5) / columns
                y = top + 12 + row * 27
                pane = (92, 116, 136) if not night else (255, 214, 130) if rng.random() < 0.45 else (30, 36, 58)
                canvas.polygon(box(x - 5.5, y, x + 5.5, y + 15), lighter(wall, 0.4) if not night else darker(wall, 0.4))
                canvas.polygon(box(x - 4.2, y + 1.3, x + 4.2, y + 14), pane)
        canvas.line([(left, top), (left, horizon)], darker(wall, 0.5), 1)
        left += width


def _road(canvas: Canvas, horizon: float, rng: random.Random, *, night: bool) -> None:
    asphalt: Colour = (38, 40, 50) if night else from_hsv(0.6, 0.03, rng.uniform(0.36, 0.5))
    kerb: Colour = (70, 72, 84) if night else (176, 174, 168)
    _fill(canvas, horizon, horizon + 18, kerb, darker(kerb, 0.12))
    canvas.line([(0, horizon + 18), (WIDTH_PX, horizon + 18)], darker(kerb, 0.4), 1.6)
    _fill(canvas, horizon + 19, HEIGHT_PX + 2, asphalt, lighter(asphalt, 0.12))
    start = rng.uniform(-60, 0)
    for left in np.arange(start, WIDTH_PX, 74):
        canvas.polygon([(left, 224), (left + 40, 224), (left + 36, 229), (left - 6, 229)], mix(asphalt, WHITE, 0.65))


def _street(canvas: Canvas, horizon: float, rng: random.Random) -> None:
    _fill(canvas, 0, horizon, (138, 182, 222), (214, 228, 238))
    _houses(canvas, horizon, rng, night=False)
    _road(canvas, horizon, rng, night=False)
    if rng.random() < 0.6:
        _round_tree(canvas, rng.uniform(10, 310), horizon + 8, rng.uniform(44, 70), rng)


def _night(canvas: Canvas, horizon: float, rng: random.Random) -> None:
    _fill(canvas, 0, horizon, (6, 9, 26), (34, 38, 74))
    _houses(canvas, horizon, rng, night=True)
    _road(canvas, horizon, rng, night=True)
    for _ in range(rng.randint(1, 3)):
        at = rng.uniform(10, 310)
        canvas.line([(at, horizon + 10), (at, 34), (at + 14, 28)], (20, 22, 30), 1.8)
        canvas.glow((at + 14, 31), (70, 62), (255, 206, 120), 0.75)
        canvas.polygon(ellipse((at + 14, 30), 3.4), (255, 246, 214))
        canvas.glow((at + 14, HEIGHT_PX - 22), (60, 16), (255, 206, 120), 0.5)


def _meadow(canvas: Canvas, horizon: float, rng: random.Random) -> None:
    sky = from_hsv(rng.uniform(0.55, 0.6), rng.uniform(0.35, 0.6), 0.92)
    _fill(canvas, 0, horizon, sky, lighter(sky, 0.75))
    for _ in range(rng.randint(2, 5)):
        x, y = rng.uniform(0, WIDTH_PX), rng.uniform(8, horizon * 0.5)
        for _ in range(4):
            canvas.glow(
                (x + rng.uniform(-26, 26), y + rng.uniform(-5, 5)),
                (rng.uniform(18, 36), rng.uniform(8, 13)),
                WHITE,
                0.85,
            )
    grass = from_hsv(rng.uniform(0.22, 0.31), rng.uniform(0.5, 0.7), rng.uniform(0.5, 0.68))
    for depth in (0.5, 0.25):
        ridge = [(-10.0, horizon - rng.uniform(0, 22))]
        ridge += [(x, horizon - rng.uniform(2, 34) * (depth + 0.3)) for x in np.linspace(30, 290, 5)]
        ridge += [(330.0, horizon - rng.uniform(0, 22))]
        hill = np.concatenate([smooth(ridge, closed=False), [[330, horizon + 4], [-10, horizon + 4]]])
        canvas.polygon(hill, mix(mix(grass, (20, 60, 50), 0.4), sky, depth))
    for _ in range(rng.randint(2, 6)):
        _round_tree(canvas, rng.uniform(0, WIDTH_PX), horizon + 5, rng.uniform(22, 52), rng)
    _fill(canvas, horizon, HEIGHT_PX + 2, darker(grass, 0.18), grass, lighter(grass, 0.10))
    for _ in range(150):
        x, y = rng.uniform(0, WIDTH_PX), rng.uniform(horizon + 2, HEIGHT_PX)
        tall = 1.5 + 6 * (y - horizon) / (HEIGHT_PX - horizon)
        canvas.line(
            [(x, y), (x + rng.uniform(-2, 2), y - tall)], rng.choice([darker(grass, 0.3), lighter(grass, 0.25)]), 0.5
        )
    for _ in range(rng.randint(0, 26)):
        x, y = rng.uniform(0, WIDTH_PX), rng.uniform(horizon + 14, HEIGHT_PX)
        canvas.polygon(ellipse((x, y), 1.1)[::8], rng.choice([(255, 236, 90), WHITE, (230, 120, 170)]))


def _snow(canvas: Canvas, horizon: float, rng: random.Random) -> None:
    sky = from_hsv(0.58, rng.uniform(0.05, 0.28), rng.uniform(0.72, 0.92))
    _fill(canvas, 0, horizon, sky, lighter(sky, 0.6))
    far = sorted(rng.uniform(0, WIDTH_PX) for _ in range(rng.randint(8, 16)))
    for x in far:
        _fir(canvas, x, horizon + rng.uniform(2, 8), rng.uniform(34, 84), rng)
    _fill(canvas, horizon, HEIGHT_PX + 2, (222, 230, 240), (244, 247, 251), (226, 233, 243))
    for _ in range(8):
        x, y = rng.uniform(0, WIDTH_PX), rng.uniform(horizon + 10, HEIGHT_PX)
        canvas.glow((x, y), (rng.uniform(30, 70), rng.uniform(3, 8)), (186, 200, 222), 0.6)
    for offset in (0, 12):
        canvas.line([(-4, 216 + offset), (160, 214 + offset), (324, 217 + offset)], (192, 204, 222), 2.2)


def snowfall(canvas: Canvas, rng: random.Random) -> None:
    """Flakes in front of everything."""
    for _ in range(rng.randint(40, 130)):
        x, y, size = rng.uniform(0, WIDTH_PX), rng.uniform(0, HEIGHT_PX), rng.uniform(0.6, 1.7)
        canvas.polygon(ellipse((x, y), size)[::6], WHITE)


def _round_tree(canvas: Canvas, x: float, foot: float, tall: float, rng: random.Random) -> None:
    leaf = from_hsv(rng.uniform(0.24, 0.36), rng.uniform(0.45, 0.7), rng.uniform(0.3, 0.5))
    canvas.polygon(box(x - tall * 0.05, foot - tall * 0.5, x + tall * 0.05, foot), (84, 62, 44))
    for _ in range(6):
        at = (x + rng.uniform(-0.24, 0.24) * tall, foot - tall * rng.uniform(0.5, 0.86))
        canvas.polygon(
            ellipse(at, tall * rng.uniform(0.16, 0.26))[::3],
            rng.choice([leaf, lighter(leaf, 0.14), darker(leaf, 0.18)]),
        )


def _fir(canvas: Canvas, x: float, foot: float, tall: float, rng: random.Random) -> None:
    needle = from_hsv(0.42, 0.4, rng.uniform(0.2, 0.36))
    canvas.polygon(box(x - 1.6, foot - tall * 0.15, x + 1.6, foot), (72, 56, 46))
    for share, wide in ((0.1, 0.30), (0.36, 0.23), (0.62, 0.15)):
        low = foot - tall * share
        tip = (x, low - tall * 0.42)
        canvas.polygon([(x - tall * wide, low), tip, (x + tall * wide, low)], needle)
        canvas.polygon(
            [(x - tall * wide * 0.6, low - tall * 0.12), tip, (x + tall * wide * 0.25, low - tall * 0.2)],
            (236, 241, 247),
        )


PLACES: dict[str, Callable[[Canvas, float, random.Random], None]] = {
    "showroom": _showroom,
    "street": _street,
    "street-at-night": _night,
    "meadow": _meadow,
    "snow": _snow,
}
