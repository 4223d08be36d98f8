"""A car from its front or its rear."""

import numpy as np

from coachworks.cli.showroom.canvas import Canvas, Points, box, ellipse, grown, rounded, smooth
from coachworks.cli.showroom.car import Car
from coachworks.cli.showroom.paint import BLACK, CHROME, RUBBER, WHITE, Colour, darker, gloss, lighter, mix


def draw_end(canvas: Canvas, car: Car, *, rear: bool, lamps_on: bool = False) -> None:
    """Draw a car into a frame in metres whose x runs from its middle and whose y runs up from the ground."""
    shape = car.shape
    half, high, low = shape.width / 2, shape.height, shape.clearance * 0.72
    boxy = car.body in {"van", "suv", "pickup"}
    belt = shape.glass[0][1] if not rear or car.body != "pickup" else shape.hinge[1]
    roof_half = half * (0.86 if car.body == "van" else 0.74 if boxy else 0.66)
    for x in (-half * 0.6, 0.0, half * 0.6):
        canvas.glow((x, 0.02), (62, 9), BLACK, 0.75)
    for side in (-1, 1):
        canvas.polygon(
            rounded(side * (half - 0.13) - 0.11, shape.wheel * 1.7, side * (half - 0.13) + 0.11, 0.0, 0.05), RUBBER
        )
        mirror = [
            (half * 0.9, belt + 0.02),
            (half * 0.92, belt + 0.16),
            (half + 0.17, belt + 0.15),
            (half + 0.15, belt),
        ]
        canvas.polygon(smooth(_to_side(mirror, side), rounds=2), darker(car.paint, 0.3))
    right = [
        (half * 0.8, low),
        (half * 0.97, low + 0.02),
        (half, low + 0.25),
        (half, belt - 0.3),
        (half * 0.95, belt - 0.02),
        (roof_half * 1.02, high - 0.1),
    ]
    right += [(roof_half * 0.9, high - 0.02), (0.0, high + 0.01)]
    body = smooth(right + [(-x, y) for x, y in reversed(right[:-1])], rounds=2)
    canvas.shaded(body, gloss(car.paint))
    _screen(canvas, car, belt, roof_half, half, rear=rear)
    trim = RUBBER if boxy else darker(car.paint, 0.55)
    canvas.polygon(smooth(_mirrored([(half * 0.95, low + 0.14), (half * 0.9, low - 0.02)]), rounds=1), trim)
    if rear:
        _tail(canvas, car, belt, half, lamps_on=lamps_on)
    else:
        _face(canvas, car, belt, half, lamps_on=lamps_on)
    plate_y = low + (0.27 if not rear else 0.42)
    canvas.polygon(rounded(-0.27, plate_y + 0.07, 0.27, plate_y - 0.06, 0.015), (244, 244, 238))
    canvas.text((0, plate_y + 0.005), car.plate, 0.1, (22, 22, 26))


def _screen(canvas: Canvas, car: Car, belt: float, roof_half: float, half: float, *, rear: bool) -> None:
    high = car.shape.height
    if rear and car.body == "van":  # two doors with a window each
        canvas.line([(0, high - 0.08), (0, car.shape.clearance + 0.2)], darker(car.paint, 0.6), 1.0)
        panes = [rounded(side * 0.42 - 0.26, high - 0.22, side * 0.42 + 0.26, high - 0.72, 0.06) for side in (-1, 1)]
    else:
        foot = belt + (0.12 if rear else 0.0)
        spread = half * (0.80 if rear else 0.86)
        panes = [smooth(_mirrored([(roof_half * 0.9, high - 0.12), (spread, foot)]), rounds=1)]
    tint = mix((150, 176, 194), BLACK, 0.45 if rear else 0.3)
    for pane in panes:
        canvas.polygon(grown(pane, 1.04), darker(car.paint, 0.75))
        canvas.shaded(pane, [(0, lighter(tint, 0.45)), (0.5, tint), (1, darker(tint, 0.35))])
        left, right = pane.min(axis=0), pane.max(axis=0)
        at, wide = left[0] + (right[0] - left[0]) * 0.3, (right[0] - left[0]) * 0.1
        canvas.glass(
            [(at + wide, right[1]), (at + 2 * wide, right[1]), (at + wide, left[1]), (at, left[1])], WHITE, 0.18
        )
    if not rear:
        canvas.polygon(smooth([(-0.62, belt + 0.03), (-0.3, belt + 0.2), (-0.12, belt + 0.03)], rounds=1), (40, 42, 46))


def _face(canvas: Canvas, car: Car, belt: float, half: float, *, lamps_on: bool) -> None:
    low = car.shape.clearance * 0.72
    high = car.shape.outline[3][1]
    canvas.shaded(
        _mirrored([(half * 0.84, belt - 0.02), (half * 0.9, high + 0.08)]),
        [(0, lighter(car.paint, 0.5)), (1, car.paint)],
    )
    canvas.line(_mirrored([(half * 0.72, belt - 0.03), (half * 0.66, high + 0.08)])[:2], darker(car.paint, 0.35), 0.8)
    grille = smooth(_mirrored([(half * 0.42, high), (half * 0.34, high - 0.22)]), rounds=2)
    canvas.polygon(grown(grille, 1.06), CHROME)
    canvas.polygon(grille, (18, 18, 20))
    for y in np.linspace(high - 0.03, high - 0.19, 4):
        canvas.line([(-half * 0.36, y), (half * 0.36, y)], (70, 72, 76), 0.7)
    canvas.polygon(ellipse((0, high - 0.1), 0.055), CHROME)
    canvas.polygon(smooth(_mirrored([(half * 0.5, low + 0.16), (half * 0.44, low + 0.04)]), rounds=1), (12, 12, 14))
    for side in (-1, 1):
        middle = side * half * 0.7
        lens = ellipse((middle, high - 0.03), 0.15 if car.plain_lamps else (0.22, 0.1))
        if not car.plain_lamps:
            lens = smooth(
                _to_side(
                    [
                        (half * 0.48, high - 0.08),
                        (half * 0.56, high + 0.04),
                        (half * 0.93, high + 0.1),
                        (half * 0.9, high - 0.1),
                    ],
                    side,
                ),
                rounds=2,
            )
        canvas.polygon(grown(lens, 1.1), darker(car.paint, 0.6))
        canvas.polygon(lens, (255, 250, 225) if lamps_on else (206, 216, 224))
        canvas.polygon(ellipse((middle, high - 0.01), 0.062), WHITE if lamps_on else (120, 132, 142))
        if lamps_on:
            canvas.glow((middle, high - 0.01), (44, 34), (255, 248, 220), 0.85)


def _tail(canvas: Canvas, car: Car, belt: float, half: float, *, lamps_on: bool) -> None:
    low = car.shape.clearance * 0.72
    tall = car.body in {"van", "estate", "suv", "pickup"}
    top, bottom = (belt + 0.06, belt - 0.34) if tall else (belt - 0.04, belt - 0.2)
    inner = 0.80 if tall else 0.56
    red: Colour = (255, 72, 62) if lamps_on else (214, 30, 38)
    for side in (-1, 1):
        lens = smooth(
            _to_side(
                [(half * inner, bottom), (half * inner, top), (half * 0.97, top - 0.03), (half * 0.985, bottom)], side
            ),
            rounds=2,
        )
        canvas.polygon(lens, red)
        canvas.polygon(grown(lens, 0.45), lighter(red, 0.35))
        if lamps_on:
            canvas.glow((side * half * 0.9, (top + bottom) / 2), (46, 36), red, 0.8)
    if car.body != "van":
        canvas.line([(-half * 0.74, low + 0.32), (half * 0.74, low + 0.32)], darker(car.paint, 0.55), 0.8)
    canvas.text((0, low + 0.62), car.make, 0.085, CHROME)
    if car.trim != "EV" and car.body != "van":
        canvas.polygon(ellipse((half * 0.5, low + 0.02), (0.07, 0.045)), CHROME)
        canvas.polygon(ellipse((half * 0.5, low + 0.02), (0.05, 0.03)), (20, 20, 20))
    if car.body == "pickup":
        canvas.polygon(box(-half * 0.92, belt + 0.03, half * 0.92, belt - 0.02), darker(car.paint, 0.65))


def _to_side(points: list[tuple[float, float]], side: int) -> Points:
    return np.array(points) * [side, 1]


def _mirrored(right: list[tuple[float, float]]) -> Points:
    return np.array([*right, *[(-x, y) for x, y in reversed(right)]])
