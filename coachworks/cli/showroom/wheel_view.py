"""A wheel: tyre, rim, spokes; small under a car, or filling the photo."""

import random

import numpy as np

from coachworks.cli.showroom.canvas import HEIGHT_PX, WIDTH_PX, Canvas, Points, box, ellipse
from coachworks.cli.showroom.car import Car
from coachworks.cli.showroom.paint import BLACK, RUBBER, WHITE, darker, from_hsv, lighter, mix


def draw_wheel(
    canvas: Canvas, car: Car, centre: tuple[float, float], radius: float, *, turn: float = 0, near: bool = False
) -> None:
    """Draw a wheel.

    Args:
        canvas: The canvas.
        car: Whose wheel.
        centre: Its hub, in the canvas's frame.
        radius: Of the tyre, in units of the frame.
        turn: Angle of the spokes, in degrees.
        near: True for a photo from near, which shows bolts, tread and brake.
    """
    canvas.polygon(ellipse(centre, radius), RUBBER)
    if near:
        for share, tone in ((0.97, 44), (0.93, 30), (0.84, 52), (0.82, 34)):
            canvas.polygon(ellipse(centre, radius * share), (tone, tone, tone + 2))
    rim = radius * (0.70 if near else 0.68)
    canvas.polygon(ellipse(centre, rim), darker(car.rim, 0.25))
    canvas.polygon(ellipse(centre, rim * 0.93), (24, 24, 27))
    if near:
        canvas.polygon(ellipse(centre, rim * 0.72), (120, 118, 116))
        canvas.polygon(ellipse(centre, rim * 0.68), (92, 90, 89))
        caliper = _sector(centre, rim * 0.5, rim * 0.84, 20, 70)
        canvas.polygon(caliper, (196, 32, 30) if car.spokes % 2 else (70, 72, 76))
    for index in range(car.spokes):
        angle = turn + 360 * index / car.spokes
        canvas.polygon(_spoke(centre, rim * 0.97, angle, 4.4 / car.spokes), car.rim)
        if near:
            canvas.polygon(_spoke(centre, rim * 0.95, angle + 2.2, 1.6 / car.spokes), lighter(car.rim, 0.35))
    canvas.polygon(ellipse(centre, rim * 0.27), car.rim)
    canvas.polygon(ellipse(centre, rim * 0.16), darker(car.rim, 0.45))
    if near:
        for index in range(5):
            angle = np.radians(turn + 18 + 72 * index)
            bolt = (centre[0] + rim * 0.21 * np.cos(angle), centre[1] + rim * 0.21 * np.sin(angle))
            canvas.polygon(ellipse(bolt, rim * 0.035), (40, 40, 42))
        ring = np.concatenate([ellipse(centre, rim * 1.02, 200, 300), ellipse(centre, rim * 0.97, 300, 200)])
        canvas.glass(ring, WHITE, 0.55)
        canvas.polygon(ellipse(centre, rim * 0.09), mix(car.paint, BLACK, 0.2))


def draw_wheel_photo(canvas: Canvas, car: Car, rng: random.Random) -> None:
    """Draw a wheel that fills the photo, with the wing above it; slightly from one side, and not always whole."""
    ground = from_hsv(rng.choice([0.1, 0.6, 0.28]), rng.uniform(0.03, 0.3), rng.uniform(0.35, 0.7))
    radius = rng.uniform(74, 132)
    squeeze, tilt = rng.uniform(0.72, 1.0), np.radians(rng.uniform(-7, 7))
    canvas.frame = np.array(
        [
            [np.cos(tilt) * squeeze, -np.sin(tilt), WIDTH_PX / 2 + rng.uniform(-46, 46)],
            [np.sin(tilt) * squeeze, np.cos(tilt), HEIGHT_PX / 2 + rng.uniform(-28, 28)],
            [0, 0, 1],
        ]
    )
    canvas.shaded(box(-400, -300, 400, 400), [(0, ground), (0.6, ground), (0.75, darker(ground, 0.3))])
    sill = radius * rng.uniform(0.3, 0.6)
    bright = lighter(car.paint, rng.uniform(0.1, 0.35))
    canvas.shaded(
        box(-400, -220, 400, sill), [(0, bright), (rng.uniform(0.3, 0.6), car.paint), (1, darker(car.paint, 0.4))]
    )
    canvas.polygon(box(-400, sill - radius * 0.1, 400, sill), darker(car.paint, 0.65))
    for seam in rng.choice([(-1.5,), (1.5,), (-1.45, 1.9), (1.45, -2.0)]):
        canvas.line([(seam * radius, -220), (seam * radius, sill)], darker(car.paint, 0.55), 1.4)
    middle, high = (0.0, -radius * 0.06), radius * rng.uniform(1.1, 1.2)
    arch = ellipse(middle, high, 180, 360)
    canvas.polygon(np.concatenate([arch, [(high, sill + 2), (-high, sill + 2)]]), (12, 12, 13))
    canvas.line(ellipse(middle, high * 1.015, 182, 358), lighter(car.paint, 0.4), 1.3)
    canvas.glow((0, radius * 0.99), (radius * 1.3, 16), BLACK, 0.9)
    draw_wheel(canvas, car, (0, 0), radius, turn=rng.uniform(0, 90), near=True)
    if rng.random() < 0.3:  # gravel, leaves
        for _ in range(40):
            at = (rng.uniform(-300, 300), radius * rng.uniform(0.95, 1.5))
            canvas.polygon(ellipse(at, rng.uniform(1, 3.4))[::8], darker(ground, rng.uniform(0.1, 0.5)))


def _spoke(centre: tuple[float, float], length: float, angle: float, width: float) -> Points:
    turn = np.radians(angle)
    along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    middle = np.array(centre)
    return np.array(
        [
            middle + across * length * width * 0.22,
            middle + along * length + across * length * width * 0.30,
            middle + along * length - across * length * width * 0.30,
            middle - across * length * width * 0.22,
        ]
    )


def _sector(centre: tuple[float, float], inner: float, outer: float, start: float, end: float) -> Points:
    return np.concatenate([ellipse(centre, outer, start, end), ellipse(centre, inner, end, start)])
