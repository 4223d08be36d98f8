"""The cabin: from behind the wheel, or the seats."""

import random

import numpy as np

from coachworks.cli.showroom.canvas import HEIGHT_PX, WIDTH_PX, Canvas, box, ellipse, grown, rounded, smooth
from coachworks.cli.showroom.car import Car
from coachworks.cli.showroom.paint import CHROME, WHITE, Colour, darker, from_hsv, lighter, mix

_ENDLESS = 400  # beyond what any camera position shows


def draw_interior(canvas: Canvas, car: Car, rng: random.Random) -> None:
    """Draw the cabin: from behind the wheel, or the seats; from any position of the camera."""
    zoom, tilt = rng.uniform(0.95, 1.5), np.radians(rng.uniform(-6, 6))
    across = zoom * rng.choice([-1, 1])
    aim = (rng.uniform(110, 210), rng.uniform(104, 142))
    turn = np.array([[np.cos(tilt) * across, -np.sin(tilt) * zoom], [np.sin(tilt) * across, np.cos(tilt) * zoom]])
    canvas.frame = np.eye(3)
    canvas.frame[:2, :2] = turn
    canvas.frame[:2, 2] = np.array([WIDTH_PX / 2, HEIGHT_PX / 2]) - turn @ aim
    if rng.random() < 0.62:
        _dashboard(canvas, car, rng)
    else:
        _seats(canvas, car, rng)


def _fill(canvas: Canvas, top: float, bottom: float, *colours: Colour) -> None:
    stops = [(index / (len(colours) - 1), colour) for index, colour in enumerate(colours)]
    canvas.shaded(box(-_ENDLESS, top, WIDTH_PX + _ENDLESS, bottom), stops)


def _outside(canvas: Canvas, bottom: float, rng: random.Random) -> None:
    sky = from_hsv(rng.uniform(0.52, 0.62), rng.uniform(0.1, 0.5), rng.uniform(0.7, 0.98))
    _fill(canvas, -200, bottom * 0.65, darker(sky, 0.1), sky, lighter(sky, 0.6))
    land = from_hsv(rng.choice([0.28, 0.1, 0.6]), rng.uniform(0.1, 0.5), rng.uniform(0.4, 0.7))
    _fill(canvas, bottom * 0.62, bottom + 4, lighter(land, 0.2), land)
    for _ in range(rng.randint(0, 7)):
        left, wide, tall = rng.uniform(-60, 360), rng.uniform(18, 70), rng.uniform(10, 62)
        tone = from_hsv(rng.choice([0.08, 0.3, 0.6]), rng.uniform(0.1, 0.45), rng.uniform(0.35, 0.8))
        low = bottom * 0.66
        if rng.random() < 0.5:
            canvas.polygon(box(left, low - tall, left + wide, low + 3), tone)
        else:
            canvas.polygon(ellipse((left, low - tall * 0.4), (wide * 0.5, tall * 0.5)), from_hsv(0.3, 0.5, 0.45))
    if rng.random() < 0.6:
        canvas.polygon([(150, bottom * 0.64), (168, bottom * 0.64), (300, bottom + 4), (20, bottom + 4)], (96, 98, 102))


def _dashboard(canvas: Canvas, car: Car, rng: random.Random) -> None:
    high = rng.uniform(78, 112)
    _outside(canvas, high + 24, rng)
    dark = from_hsv(rng.choice([0.6, 0.08, 0.0]), rng.uniform(0.04, 0.2), rng.uniform(0.17, 0.40))
    lean = rng.uniform(20, 44)
    for x, inwards in ((-6, 1), (326, -1)):
        post = [
            (x - inwards * 300, -240),
            (x + inwards * lean, -30),
            (x + inwards * 3, high + 16),
            (x - inwards * 300, high + 16),
        ]
        canvas.polygon(post, darker(dark, 0.2))
    _rear_mirror(canvas, rng)
    ridge = [(-_ENDLESS, high + 14), (-20, high + 14)]
    ridge += [(x, high + rng.uniform(-10, 8)) for x in (50, 120, 200, 270)]
    top = [*ridge, (340, high + 14), (_ENDLESS * 2, high + 14), (_ENDLESS * 2, 460), (-_ENDLESS, 460)]
    canvas.shaded(
        smooth(top, rounds=2),
        [(0, lighter(dark, 0.24)), (0.25, dark), (0.6, darker(dark, 0.45)), (1, darker(dark, 0.75))],
    )
    trim = mix(car.seats, WHITE, 0.1) if rng.random() < 0.6 else from_hsv(rng.random(), 0.5, 0.6)
    depth = rng.uniform(36, 62)
    canvas.polygon(box(-_ENDLESS, high + depth, _ENDLESS * 2, high + depth + rng.uniform(3, 10)), trim)
    hub = (rng.uniform(78, 98), high + rng.uniform(58, 76))
    _instruments(canvas, (hub[0], high), dark, rng)
    middle = rng.uniform(172, 198)
    _screen(canvas, (middle, high + rng.uniform(-16, 12)), rng)
    for vent in (middle - 56, middle + 58, 300):
        canvas.polygon(rounded(vent - 13, high + 14, vent + 13, high + 32, 4), (16, 16, 18))
        for y in (18, 23, 28):
            canvas.line([(vent - 11, high + y), (vent + 11, high + y)], (84, 86, 90), 0.8)
    console = [(middle - 34, high + 96), (middle + 34, high + 96), (middle + 52, 460), (middle - 52, 460)]
    canvas.polygon(smooth(console, rounds=2), darker(dark, 0.35))
    knob = (middle + rng.uniform(-8, 8), high + rng.uniform(92, 106))
    canvas.line([(middle, high + 140), knob], CHROME, 2.6)
    canvas.polygon(ellipse(knob, 8), (20, 20, 22))
    seat = [(216, 300), (228, high + 118), (300, high + 108), (380, 300)]
    canvas.shaded(smooth(seat, rounds=2), [(0, lighter(car.seats, 0.2)), (1, darker(car.seats, 0.2))])
    _steering_wheel(canvas, hub, rng.uniform(54, 74), rng.uniform(-60, 60), rng.choice([2, 3, 3, 4]), dark)


def _rear_mirror(canvas: Canvas, rng: random.Random) -> None:
    x, y, wide = rng.uniform(146, 178), rng.uniform(-2, 16), rng.uniform(26, 38)
    canvas.polygon(
        smooth([(x - wide, y), (x + wide, y), (x + wide - 2, y + 22), (x - wide + 2, y + 22)], rounds=2), (24, 24, 26)
    )
    glass = smooth(
        [(x - wide + 5, y + 4), (x + wide - 5, y + 4), (x + wide - 7, y + 18), (x - wide + 7, y + 18)], rounds=2
    )
    canvas.polygon(glass, (120, 138, 150))
    if rng.random() < 0.4:  # something dangles from it
        canvas.line([(x, y + 20), (x + 2, y + 38)], (60, 60, 60), 0.8)
        charm = [(x + 2, y + 36), (x + 11, y + 58), (x - 7, y + 58)]
        canvas.polygon(charm, from_hsv(rng.random(), 0.7, 0.7))


def _instruments(canvas: Canvas, place: tuple[float, float], dark: Colour, rng: random.Random) -> None:
    x, high = place
    hood = [(x - 48, high + 34), (x - 40, high - 10), (x + 40, high - 10), (x + 48, high + 34)]
    canvas.polygon(smooth(hood, rounds=2), darker(dark, 0.5))
    if rng.random() < 0.35:
        canvas.polygon(rounded(x - 36, high - 2, x + 36, high + 30, 4), (8, 10, 16))
        canvas.polygon(
            rounded(x - 30, high + 4, x + rng.uniform(-10, 28), high + 12, 2), from_hsv(rng.random(), 0.7, 0.9)
        )
        canvas.polygon(rounded(x - 30, high + 17, x + rng.uniform(-10, 28), high + 23, 2), (210, 216, 224))
        return
    for offset in (-22, 22):
        centre = (x + offset, high + 16)
        canvas.polygon(ellipse(centre, 17), (12, 12, 14))
        canvas.line(ellipse(centre, 15, 140, 400), (190, 200, 210), 1.0)
        angle = np.radians(rng.uniform(150, 390))
        canvas.line([centre, (centre[0] + 12 * np.cos(angle), centre[1] + 12 * np.sin(angle))], (236, 60, 40), 1.3)


def _screen(canvas: Canvas, place: tuple[float, float], rng: random.Random) -> None:
    x, top = place
    kind = rng.choice(["wide", "tall", "radio"])
    half, deep = {"wide": (40, 42), "tall": (27, 72), "radio": (32, 26)}[kind]
    canvas.polygon(rounded(x - half, top, x + half, top + deep, 4), (10, 10, 12))
    if kind == "radio":
        canvas.polygon(box(x - half + 6, top + 5, x + half - 6, top + 13), (90, 200, 160))
        for index in range(5):
            canvas.polygon(ellipse((x - half + 9 + index * 11.5, top + 19), 3), (70, 72, 76))
        return
    hue = rng.random()
    canvas.shaded(
        box(x - half + 3, top + 3, x + half - 3, top + deep - 3),
        [(0, from_hsv(hue, 0.6, 0.6)), (0.6, from_hsv(hue + 0.1, 0.5, 0.5)), (1, (30, 40, 60))],
    )
    way = [(x + (share - 0.5) * half * 1.7, top + deep * rng.uniform(0.15, 0.85)) for share in (0, 0.3, 0.6, 1)]
    canvas.line(way, (250, 220, 120), 1.6)


def _steering_wheel(
    canvas: Canvas, hub: tuple[float, float], radius: float, turn: float, spokes: int, dark: Colour
) -> None:
    angles = {2: (0, 180), 3: (0, 180, 90), 4: (20, 160, 70, 110)}[spokes]
    for angle in angles:
        at = np.radians(angle + turn)
        reach = (hub[0] + radius * np.cos(at), hub[1] + radius * 0.92 * np.sin(at))
        canvas.line([hub, reach], (58, 60, 64), 7)
    rim = np.concatenate([ellipse(hub, (radius, radius * 0.92)), ellipse(hub, (radius * 0.84, radius * 0.76), 360, 0)])
    canvas.polygon(rim, mix((30, 30, 33), dark, 0.5))
    canvas.line(ellipse(hub, (radius * 0.96, radius * 0.88), 190, 350), (92, 94, 98), 1.4)
    canvas.polygon(ellipse(hub, (radius * 0.34, radius * 0.30)), (40, 41, 44))
    canvas.polygon(ellipse(hub, radius * 0.1), CHROME)


def _seats(canvas: Canvas, car: Car, rng: random.Random) -> None:
    dark = from_hsv(0.6, 0.05, rng.uniform(0.12, 0.3))
    _fill(canvas, -240, 460, lighter(dark, 0.25), dark, darker(dark, 0.4))
    post = rng.uniform(120, 190)
    for left, right in ((post - 200, post - 12), (post + 12, post + 220)):
        low = rng.uniform(76, 96)
        pane = smooth(
            [(left + 20, rng.uniform(-6, 20)), (right - 24, rng.uniform(-6, 20)), (right, low), (left, low + 4)],
            rounds=2,
        )
        sky = from_hsv(rng.uniform(0.5, 0.62), 0.3, 0.92)
        canvas.polygon(grown(pane, 1.06), darker(dark, 0.5))
        canvas.shaded(pane, [(0, sky), (0.6, lighter(sky, 0.5)), (0.66, (110, 124, 96)), (1, (92, 98, 92))])
    canvas.polygon(box(-_ENDLESS, 196, _ENDLESS * 2, 460), darker(dark, 0.55))
    count, stripes = rng.choice([2, 2, 3]), rng.choice([(), (112, 134, 156), (104, 116, 128, 140, 152, 164)])
    width, gap = rng.uniform(300, 340) / count, rng.uniform(0.7, 0.84)
    drop = rng.uniform(-12, 18)
    for index in range(count):
        middle, half = 10 + width * (index + 0.5) + rng.uniform(-4, 4), width * gap / 2
        for x in (-6, 6):
            canvas.line([(middle + x, 64 + drop), (middle + x, 86 + drop)], CHROME, 1.4)
        rest = rounded(middle - half * 0.44, 34 + drop, middle + half * 0.44, 70 + drop, 10)
        back = [(middle - half * 0.8, 84), (middle + half * 0.8, 84), (middle + half, 190), (middle - half, 190)]
        base = [(middle - half, 172), (middle + half, 172), (middle + half * 1.12, 270), (middle - half * 1.12, 270)]
        for part in (rest, np.add(smooth(back, rounds=2), [0, drop]), np.add(smooth(base, rounds=2), [0, drop])):
            canvas.shaded(part, [(0, lighter(car.seats, 0.3)), (0.3, car.seats), (1, darker(car.seats, 0.3))])
            canvas.line(np.concatenate([part, part[:1]]), darker(car.seats, 0.5), 0.9)
        for share in (-0.4, 0.4):
            seam = [(middle + half * share, 98 + drop), (middle + half * share * 1.1, 182 + drop)]
            canvas.line(seam, darker(car.seats, 0.42), 1.0)
        for y in stripes:
            canvas.line(
                [(middle - half * 0.4, y + drop), (middle + half * 0.4, y + drop)], darker(car.seats, 0.30), 0.8
            )
        canvas.line([(middle + half * 0.9, 100 + drop), (middle - half * 0.2, 186 + drop)], (24, 24, 26), 2.4)
