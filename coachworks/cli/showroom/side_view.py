"""A car from its side: closed, or with a door, the bonnet or the boot open."""

from collections.abc import Collection
from typing import Literal

import numpy as np

from coachworks.cli.showroom.canvas import Canvas, Points, box, ellipse, grown, rounded, smooth
from coachworks.cli.showroom.car import Car
from coachworks.cli.showroom.paint import BLACK, CHROME, RUBBER, WHITE, Colour, darker, gloss, lighter, mix
from coachworks.cli.showroom.wheel_view import draw_wheel

Open = Literal["door", "bonnet", "boot"]
_LAMP_ON: Colour = (255, 250, 225)


def draw_side(
    canvas: Canvas, car: Car, *, opened: Collection[Open] = (), lamps_on: bool = False, turn: float = 0
) -> None:
    """Draw a car into a frame in metres whose x runs from its front and whose y runs up from the ground.

    Args:
        canvas: The canvas.
        car: The car.
        opened: The open parts.
        lamps_on: True if its lamps are lit.
        turn: Angle of the wheels, in degrees.
    """
    shape = car.shape
    for x in np.linspace(shape.axles[0], shape.axles[1], 5):
        canvas.glow((float(x), 0.03), _pixels(canvas, 1.25, 0.16), BLACK, 0.75)
    if "bonnet" in opened:
        _engine_bay(canvas, car)
    canvas.shaded(_body(car), gloss(car.paint))
    _lower_edge(canvas, car)
    if car.body == "pickup":
        _bed(canvas, car)
    for x in shape.axles:
        _arch(canvas, x, shape.wheel * 1.16, shape.clearance)
        draw_wheel(canvas, car, (x, shape.wheel), shape.wheel, turn=turn)
    _windows(canvas, car)
    _seams(canvas, car)
    _lamps(canvas, car, lamps_on=lamps_on)
    _mirror(canvas, car)
    if "bonnet" in opened:
        _lifted(canvas, car, shape.windscreen, shape.windscreen[0] - 0.1, 1, 42)
    if "boot" in opened:
        _open_boot(canvas, car)
    if "door" in opened:
        _open_door(canvas, car)


def _pixels(canvas: Canvas, across: float, up: float) -> tuple[float, float]:
    """Return lengths in metres as photo pixels, near the frame's origin."""
    origin, right, high = canvas.place([(2, 0), (3, 0), (2, 1)])
    return float(abs(right[0] - origin[0]) * across / 2), float(abs(high[1] - origin[1]) * up / 2)


def _body(car: Car) -> Points:
    curve = car.outline()
    return np.concatenate([curve, [[curve[-1][0], car.shape.clearance], [curve[0][0], car.shape.clearance]]])


def _lower_edge(canvas: Canvas, car: Car) -> None:
    shape = car.shape
    rugged = car.body in {"suv", "pickup", "van"}
    high = shape.clearance + (0.13 if rugged else 0.06)
    trim = RUBBER if rugged else darker(car.paint, 0.6)
    canvas.polygon(box(0.03, high, shape.length - 0.03, shape.clearance - 0.02), trim)


def _arch(canvas: Canvas, x: float, radius: float, sill: float) -> None:
    arc = ellipse((x, radius * 0.86), radius, 0, 180)
    low = np.array([[x - radius, sill - 0.03], [x + radius, sill - 0.03]])
    canvas.polygon(np.concatenate([arc, low]), (14, 14, 16))


def _bed(canvas: Canvas, car: Car) -> None:
    scale = car.shape.length / 5.28
    high = car.shape.hinge[1]
    canvas.polygon(box(3.46 * scale, high + 0.035, 5.2 * scale, high - 0.01), darker(car.paint, 0.72))
    canvas.line([(3.44 * scale, high - 0.02), (3.44 * scale, car.shape.clearance + 0.1)], darker(car.paint, 0.6), 0.8)


def _windows(canvas: Canvas, car: Car) -> None:
    glass = smooth(car.shape.glass, rounds=2)
    canvas.polygon(smooth(grown(np.array(car.shape.glass), 1.035), rounds=2), darker(car.paint, 0.75))
    tint = mix((148, 172, 190), BLACK, car.dark_glass)
    canvas.shaded(glass, [(0, lighter(tint, 0.45)), (0.45, lighter(tint, 0.08)), (0.5, tint), (1, darker(tint, 0.3))])
    low, high = glass.min(axis=0), glass.max(axis=0)
    for x in car.shape.pillars:
        if low[0] + 0.2 < x < high[0] - 0.1:
            canvas.polygon(box(x - 0.045, high[1] + 0.005, x + 0.045, low[1] - 0.005), darker(car.paint, 0.78))
    for share in (0.22, 0.62):
        at = low[0] + (high[0] - low[0]) * share
        top, bottom = high[1] - 0.1, low[1] + 0.02
        canvas.glass([(at + 0.16, top), (at + 0.28, top), (at + 0.12, bottom), (at, bottom)], WHITE, 0.16)


def _seams(canvas: Canvas, car: Car) -> None:
    shape, seam = car.shape, darker(car.paint, 0.55)
    sill, belt = shape.clearance + 0.1, min(y for _, y in shape.glass)
    front = shape.axles[0] + shape.wheel * 1.35
    rear = shape.axles[1] - shape.wheel * 1.25
    ends = [front, *shape.pillars[:2]]
    if len(shape.pillars) == 1 and car.body not in {"van", "pickup"}:
        ends.append(min(rear, shape.glass[-1][0]))
    for x in ends:
        canvas.line([(x, belt), (x - 0.02, (belt + sill) / 2), (x, sill)], seam, 0.7)
    canvas.line([(front, sill), (max(ends), sill)], seam, 0.7)
    if car.body == "van":
        canvas.line([(2.6, belt + 0.1), (shape.length - 0.25, belt + 0.1)], seam, 1.0)
        canvas.line([(3.7, 1.88), (3.7, sill)], seam, 0.7)
    for x in ends[1:]:
        high = belt - 0.11
        canvas.polygon(rounded(x - 0.27, high + 0.025, x - 0.08, high - 0.02, 0.02), lighter(car.paint, 0.5))
        canvas.line([(x - 0.27, high - 0.025), (x - 0.08, high - 0.025)], seam, 0.6)
    canvas.glass(
        smooth([(0.5, belt - 0.2), (2.2, belt - 0.13), (shape.length - 0.3, belt - 0.17), (2.2, belt - 0.155)]),
        WHITE,
        0.35,
    )


def _lamps(canvas: Canvas, car: Car, *, lamps_on: bool) -> None:
    shape = car.shape
    high = shape.outline[3][1]
    lens = smooth([(0.03, high - 0.13), (0.1, high - 0.02), (0.42, high + 0.04), (0.36, high - 0.1)], rounds=2)
    canvas.polygon(lens, _LAMP_ON if lamps_on else (214, 222, 228))
    canvas.polygon(smooth(grown(lens, 0.5), rounds=1), WHITE if lamps_on else (150, 160, 170))
    tail = shape.length
    top = {"van": 1.45, "pickup": 1.06, "suv": 1.16}.get(car.body, 0.95)
    depth = {"van": 0.42, "estate": 0.24, "suv": 0.26, "pickup": 0.3}.get(car.body, 0.17)
    slant = 0.02 if car.body in {"van", "pickup"} else 0.13
    red = (226, 34, 40) if not lamps_on else (255, 70, 62)
    canvas.polygon(
        smooth(
            [(tail - 0.27, top), (tail - slant, top), (tail - 0.015, top - depth), (tail - 0.17, top - depth)], rounds=2
        ),
        red,
    )
    canvas.line([(0.05, shape.clearance + 0.2), (0.45, shape.clearance + 0.19)], darker(car.paint, 0.5), 1.0)
    if lamps_on:
        canvas.glow((0.0, high - 0.08), _pixels(canvas, 2.6, 1.5), _LAMP_ON, 0.8)
        canvas.glow((tail, top - depth / 2), _pixels(canvas, 1.2, 0.8), (255, 60, 50), 0.5)


def _mirror(canvas: Canvas, car: Car) -> None:
    x, y = car.shape.glass[0][0] + 0.2, car.shape.glass[0][1] + 0.03
    canvas.polygon(
        smooth([(x - 0.02, y), (x, y + 0.13), (x + 0.2, y + 0.15), (x + 0.22, y + 0.01)], rounds=2),
        darker(car.paint, 0.18),
    )
    canvas.line([(x, y + 0.12), (x + 0.18, y + 0.135)], lighter(car.paint, 0.5), 0.7)


def _open_door(canvas: Canvas, car: Car) -> None:
    """Draw the front door, hinged at its front edge and open towards the camera, with the cabin behind it."""
    shape = car.shape
    front = shape.axles[0] + shape.wheel * 1.3
    rear, sill, belt = shape.pillars[0], shape.clearance + 0.08, shape.glass[0][1]
    roof = max(y for _, y in shape.glass)
    hole = [
        (front, sill),
        (front + 0.02, belt),
        (shape.glass[1][0], shape.glass[1][1]),
        (rear - 0.1, roof),
        (rear, belt),
        (rear, sill),
    ]
    canvas.shaded(hole, [(0, (52, 50, 50)), (0.5, (22, 21, 22)), (1, (44, 42, 41))])
    seat = smooth(
        [
            (front + 0.42, sill + 0.16),
            (front + 0.4, sill + 0.32),
            (rear - 0.34, sill + 0.36),
            (rear - 0.2, roof - 0.2),
            (rear - 0.03, roof - 0.22),
            (rear - 0.06, sill + 0.14),
        ],
        rounds=2,
    )
    canvas.shaded(seat, [(0, lighter(car.seats, 0.25)), (1, darker(car.seats, 0.25))])
    canvas.line(ellipse((front + 0.36, belt + 0.02), (0.09, 0.17)), (12, 12, 12), 1.6)
    swing = 0.62
    outer = front - (rear - front) * swing
    drop = 0.16
    panel = [(front, belt), (outer, belt - drop * 0.35), (outer + 0.02, sill - drop), (front, sill)]
    canvas.shaded(panel, gloss(car.paint))
    frame = [
        (front, belt),
        (front + 0.0, belt + 0.04),
        (outer + 0.25, roof - 0.06),
        (outer, roof - 0.1),
        (outer, belt - drop * 0.35),
    ]
    canvas.polygon(frame, darker(car.paint, 0.7))
    canvas.polygon(grown(np.array(frame), 0.8), (120, 142, 156))
    canvas.line(panel + panel[:1], darker(car.paint, 0.6), 0.9)
    canvas.polygon(rounded(outer + 0.06, belt - 0.16, outer + 0.2, belt - 0.2, 0.02), CHROME)


def _engine_bay(canvas: Canvas, car: Car) -> None:
    x, y = car.shape.windscreen
    canvas.polygon([(0.15, y - 0.2), (0.2, y - 0.02), (x, y + 0.06), (x, y - 0.2)], (30, 30, 32))


def _lifted(canvas: Canvas, car: Car, hinge: tuple[float, float], length: float, side: int, angle: float) -> None:
    """Draw a raised lid of `length` metres, hinged at `hinge`; `side` 1 extends it to the front, -1 to the rear."""
    turn = np.radians(angle)
    x, y = hinge
    tip = np.array([x - side * length * np.cos(turn), y + length * np.sin(turn)])
    thick = np.array([side * 0.07 * np.sin(turn), 0.07 * np.cos(turn)])
    lid = np.array([(x, y), tip, tip + thick * 1.2, np.array([x, y]) + thick])
    canvas.line(
        [
            (x - side * length * 0.62, y - 0.05),
            (x - side * length * 0.5 * np.cos(turn), y + length * 0.5 * np.sin(turn)),
        ],
        (60, 60, 62),
        1.2,
    )
    canvas.shaded(lid, [(0, lighter(car.paint, 0.35)), (0.5, car.paint), (1, darker(car.paint, 0.4))])
    canvas.line([(x, y), tuple(tip)], darker(car.paint, 0.75), 1.4)


def _open_boot(canvas: Canvas, car: Car) -> None:
    shape = car.shape
    x, y = shape.hinge
    end = shape.length
    if car.body == "pickup":  # a tailgate falls
        canvas.shaded(
            [(end - 0.06, y - 0.42), (end + 0.52, y - 0.46), (end + 0.52, y - 0.54), (end - 0.06, y - 0.5)],
            gloss(car.paint),
        )
        canvas.polygon(box(end - 0.1, y, end + 0.02, y - 0.44), (28, 28, 30))
        return
    if car.body == "van":  # a wing door swings out
        canvas.polygon(
            [(end - 0.06, y - 0.1), (end - 0.02, 0.5), (end - 0.14, 0.5), (end - 0.2, y - 0.08)], (24, 24, 26)
        )
        canvas.shaded(
            [(end - 0.05, y - 0.12), (end + 0.62, y - 0.2), (end + 0.62, 0.42), (end - 0.03, 0.5)], gloss(car.paint)
        )
        canvas.polygon(
            [(end + 0.1, y - 0.25), (end + 0.52, y - 0.3), (end + 0.52, y - 0.75), (end + 0.1, y - 0.7)], (86, 104, 116)
        )
        return
    low = 0.95 if car.body == "saloon" else 0.72
    canvas.polygon(
        [(x - 0.02, y), (end - 0.03, 1.0), (end + 0.01, low), (end - 0.35, low), (x - 0.25, y - 0.25)], (24, 24, 26)
    )
    _lifted(
        canvas,
        car,
        (x, y),
        max(end - x, 0.62) * (1.0 if car.body == "saloon" else 1.25),
        -1,
        58 if car.body == "saloon" else 14,
    )
