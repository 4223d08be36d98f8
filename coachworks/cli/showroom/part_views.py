"""Parts of a car from near: a lamp, a handle, a scratch; and parts with text: the plate, the badge, a sticker."""

import random

import numpy as np

from coachworks.cli.showroom.canvas import HEIGHT_PX, WIDTH_PX, Canvas, box, ellipse, grown, rounded, smooth
from coachworks.cli.showroom.car import Car
from coachworks.cli.showroom.paint import BLACK, CHROME, RUBBER, WHITE, Colour, darker, from_hsv, lighter


def draw_close_up(canvas: Canvas, car: Car, rng: random.Random) -> None:
    """Draw a part of the body: a lamp, a handle, a mirror, the exhaust, the fuel cap, a scratch."""
    _panel(canvas, car, rng)
    rng.choice([_head_lamp, _tail_lamp, _handle, _side_mirror, _exhaust, _tank_lid, _scratch])(canvas, car, rng)


def draw_close_up_with_text(canvas: Canvas, car: Car, rng: random.Random) -> None:
    """Draw a part with text: the number plate, the badge, a sticker."""
    _panel(canvas, car, rng)
    rng.choice([_plate, _plate, _badge, _badge, _sticker])(canvas, car, rng)


def _panel(canvas: Canvas, car: Car, rng: random.Random) -> None:
    """Fill the photo with painted metal at a slant; the frame keeps the slant."""
    angle, size = np.radians(rng.uniform(-9, 9)), rng.uniform(0.95, 1.3)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * size * [rng.choice([-1, 1]), 1]
    middle = np.array([WIDTH_PX / 2, HEIGHT_PX / 2])
    canvas.frame = np.eye(3)
    canvas.frame[:2, :2] = turn
    canvas.frame[:2, 2] = middle + np.array([rng.uniform(-22, 22), rng.uniform(-16, 16)])
    bend = rng.uniform(0.35, 0.65)
    stops = [
        (0, lighter(car.paint, 0.35)),
        (bend - 0.1, car.paint),
        (bend, lighter(car.paint, 0.3)),
        (bend + 0.06, car.paint),
    ]
    canvas.shaded(box(-330, -220, 330, 220), [*stops, (1, darker(car.paint, 0.45))])
    for _ in range(rng.randint(1, 3)):
        at = rng.uniform(-200, 200)
        canvas.glass([(at, -220), (at + 26, -220), (at - 44, 220), (at - 78, 220)], WHITE, rng.uniform(0.05, 0.14))
    for _ in range(rng.randint(1, 2)):
        at = rng.choice([-1, 1]) * rng.uniform(96, 150)
        canvas.line([(at, -220), (at + 10, 0), (at + 6, 220)], darker(car.paint, 0.6), 1.6)
        canvas.line([(at + 2, -220), (at + 12, 0), (at + 8, 220)], lighter(car.paint, 0.35), 0.7)


def _head_lamp(canvas: Canvas, car: Car, rng: random.Random) -> None:
    if car.plain_lamps:
        lens = ellipse((0, 0), 66)
    else:
        lens = smooth([(-110, 34), (-96, -18), (-20, -44), (104, -58), (118, -44), (62, 26), (-30, 52)], rounds=3)
    canvas.polygon(grown(lens, 1.07), darker(car.paint, 0.7))
    canvas.polygon(grown(lens, 1.03), CHROME)
    canvas.shaded(lens, [(0, (188, 200, 212)), (0.5, (86, 94, 104)), (1, (140, 150, 160))])
    for x, radius in ((-40, 26), (24, 22)) if not car.plain_lamps else ((0, 34),):
        canvas.polygon(ellipse((x, -4), radius * 1.15), (60, 64, 70))
        canvas.polygon(ellipse((x, -4), radius), (214, 222, 230))
        canvas.polygon(ellipse((x, -4), radius * 0.7), (120, 140, 160))
        canvas.glow((x - radius * 0.2, -4 - radius * 0.2), (radius, radius), WHITE, 0.9)
    canvas.line(grown(lens, 0.86)[4:30], (250, 250, 246), 2.0)
    canvas.glass(grown(lens, 0.9)[: len(lens) // 2], WHITE, 0.18)
    canvas.glass([(-300, 120), (300, 104), (300, 300), (-300, 300)], BLACK, 0.35 if rng.random() < 0.5 else 0.1)


def _tail_lamp(canvas: Canvas, car: Car, rng: random.Random) -> None:
    tall = rng.random() < 0.5
    lens = rounded(-44, -92, 44, 92, 22) if tall else smooth([(-120, -20), (110, -44), (122, 34), (-100, 40)], rounds=3)
    canvas.polygon(grown(lens, 1.06), darker(car.paint, 0.7))
    canvas.shaded(lens, [(0, (236, 60, 58)), (0.5, (176, 14, 24)), (1, (214, 34, 40))])
    for index in range(4):
        at = -0.6 + 0.4 * index
        bar = box(-38, at * 88 - 8, 38, at * 88 + 8) if tall else box(at * 110 - 10, -22, at * 110 + 10, 22)
        canvas.polygon(grown(bar, 0.92), (255, 176, 60) if index == 3 else (232, 40, 46))
        canvas.polygon(grown(bar, 0.5), (255, 214, 150) if index == 3 else (255, 108, 100))
    canvas.glass(grown(lens, 0.9)[: len(lens) // 3], WHITE, 0.25)


def _handle(canvas: Canvas, car: Car, rng: random.Random) -> None:
    canvas.glow((0, 6), (118, 54), darker(car.paint, 0.75), 0.95)
    canvas.polygon(smooth([(-70, -14), (60, -18), (64, 26), (-58, 30)], rounds=3), darker(car.paint, 0.5))
    bar = rounded(-104, -14, 96, 10, 11)
    tone = car.paint if rng.random() < 0.6 else CHROME
    canvas.polygon(np.add(bar, [3, 6]), darker(car.paint, 0.7))
    canvas.shaded(bar, [(0, lighter(tone, 0.6)), (0.4, tone), (1, darker(tone, 0.5))])
    canvas.polygon(ellipse((80, -2), 7), (36, 36, 38))
    canvas.line([(77, -2), (83, -2)], CHROME, 1.2)


def _side_mirror(canvas: Canvas, car: Car, rng: random.Random) -> None:
    canvas.shaded(box(-330, -220, 330, -18), [(0, (92, 110, 124)), (1, (40, 48, 56))])
    canvas.polygon(box(-330, -20, 330, -12), (18, 18, 20))
    canvas.polygon([(-20, 20), (20, -6), (40, 34), (0, 44)], RUBBER)
    shell = smooth([(-84, 16), (-92, -54), (-40, -82), (70, -70), (92, -30), (80, 24)], rounds=3)
    canvas.shaded(shell, [(0, lighter(car.paint, 0.5)), (0.5, car.paint), (1, darker(car.paint, 0.5))])
    glass = grown(shell, 0.78)
    canvas.polygon(grown(shell, 0.86), (22, 22, 24))
    sky = from_hsv(rng.uniform(0.54, 0.62), 0.4, 0.85)
    canvas.shaded(glass, [(0, sky), (0.55, lighter(sky, 0.7)), (0.6, (96, 110, 84)), (1, (72, 74, 78))])


def _exhaust(canvas: Canvas, car: Car, rng: random.Random) -> None:
    canvas.polygon(smooth([(-330, 26), (0, 14), (330, 26), (330, 240), (-330, 240)], rounds=2), (34, 34, 36))
    canvas.shaded(box(-330, 120, 330, 240), [(0, (70, 70, 72)), (1, (110, 108, 104))])
    pipes = (-62, 46) if rng.random() < 0.5 else (-6,)
    for x in pipes:
        canvas.polygon(ellipse((x, 74), (56, 40)), (16, 16, 17))
        canvas.polygon(ellipse((x, 74), (48, 33)), (238, 240, 243))
        canvas.polygon(ellipse((x + 1, 76), (47, 31)), CHROME)
        canvas.polygon(ellipse((x, 75), (39, 26)), (128, 130, 134))
        canvas.polygon(ellipse((x, 77), (35, 22)), (14, 14, 14))


def _tank_lid(canvas: Canvas, car: Car, rng: random.Random) -> None:
    lid = ellipse((0, 0), 70) if rng.random() < 0.5 else rounded(-66, -60, 66, 60, 24)
    canvas.polygon(np.add(grown(lid, 1.04), [1, 2]), darker(car.paint, 0.7))
    canvas.shaded(lid, [(0, lighter(car.paint, 0.4)), (0.5, lighter(car.paint, 0.08)), (1, darker(car.paint, 0.25))])
    canvas.line([(46, -12), (46, 12)], darker(car.paint, 0.6), 2.4)


def _scratch(canvas: Canvas, car: Car, rng: random.Random) -> None:
    canvas.glow((10, 6), (84, 56), darker(car.paint, 0.6), 0.75)
    canvas.glow((-10, -10), (56, 34), lighter(car.paint, 0.6), 0.5)
    for _ in range(rng.randint(4, 9)):
        x, y, long = rng.uniform(-90, 20), rng.uniform(-46, 46), rng.uniform(30, 110)
        points = [(x, y), (x + long * 0.5, y + rng.uniform(-8, 8)), (x + long, y + rng.uniform(-12, 12))]
        canvas.line(
            points, rng.choice([(226, 226, 222), (120, 112, 104), lighter(car.paint, 0.7)]), rng.uniform(0.6, 1.8)
        )


def _upright(canvas: Canvas) -> None:
    """Undo the mirroring of a frame, since text must not be mirrored."""
    if np.linalg.det(canvas.frame) < 0:
        canvas.frame[:, 0] *= -1


def _plate(canvas: Canvas, car: Car, rng: random.Random) -> None:
    _upright(canvas)
    canvas.polygon(rounded(-150, -56, 150, 58, 16), darker(car.paint, 0.5))
    field: Colour = rng.choice([(246, 246, 240), (246, 246, 240), (250, 214, 70)])
    canvas.polygon(rounded(-132, -35, 134, 38, 7), darker(car.paint, 0.75))
    canvas.polygon(rounded(-132, -36, 132, 36, 7), (30, 30, 34))
    canvas.polygon(rounded(-129, -33, 129, 33, 6), field)
    canvas.polygon(rounded(-129, -33, -103, 33, 5), (26, 66, 160))
    canvas.text((-116, 18), "CW", 11, WHITE)
    canvas.text((13, 0), car.plate, 32, (20, 20, 26))
    for x in (-94, 118):
        canvas.polygon(ellipse((x, 0), 3), (130, 130, 132))


def _badge(canvas: Canvas, car: Car, rng: random.Random) -> None:
    _upright(canvas)
    if rng.random() < 0.5:
        canvas.polygon(ellipse((0, -44), 25), CHROME)
        canvas.polygon(ellipse((0, -44), 21), (30, 34, 48))
        canvas.text((0, -44), car.make[0], 22, CHROME)
    name = " ".join(car.make) if rng.random() < 0.5 else car.make
    ink = CHROME if sum(car.paint) < 560 else (52, 54, 60)
    canvas.text((1.5, 11.5), name, 34, darker(car.paint, 0.7))
    canvas.text((0, 10), name, 34, ink)
    if car.trim:
        canvas.text(
            (rng.choice([-50, 50]), 56),
            car.trim,
            24,
            (200, 36, 40) if rng.random() < 0.4 and car.colour != "red" else ink,
        )


def _sticker(canvas: Canvas, car: Car, rng: random.Random) -> None:
    _upright(canvas)
    back = from_hsv(rng.random(), rng.choice([0.08, 0.75]), 0.95)
    ink = darker(back, 0.8)
    canvas.polygon(rounded(-104, -54, 106, 60, 12), darker(car.paint, 0.6))
    canvas.polygon(rounded(-106, -58, 104, 56, 12), back)
    first, second = rng.choice(
        [
            ("FOR SALE", "one owner"),
            ("SERVICE", "30 000 km"),
            ("TYRES", "2.4 bar"),
            ("PARKING", "zone 14 B"),
            ("FUEL", "E10 only"),
        ]
    )
    canvas.text((0, -20), first, 33, ink)
    canvas.line([(-84, 6), (84, 6)], ink, 1.2)
    canvas.text((0, 30), second, 24, ink)
