"""A wheel: tyre, rim, spokes; small under a car, or filling the photo."""

import numpy as np

from coachworks.showroom.canvas import Canvas, Points, ellipse
from coachworks.showroom.car import Car
from coachworks.showroom.paint import BLACK, RUBBER, WHITE, darker, lighter, mix


def draw_wheel(
    canvas: Canvas, car: Car, centre: tuple[float, float], radius: float, *, turn: float = 0, near: bool = False
) -> None:
    """Draw a wheel.

    Args:
        canvas: Where to draw.
        car: Whose wheel.
        centre: Its hub, in the canvas's frame.
        radius: Of the tyre, in units of the frame.
        turn: How the spokes stand, in degrees.
        near: Whether the photo is taken from near, so that bolts, tread and brake are seen.
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
        caliper = _sector(centre, rim * 0.5, rim * 0.84, turn * 0 + 20, 70)
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
