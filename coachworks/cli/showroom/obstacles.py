"""Obstacles between the camera and the car."""

import random

import numpy as np

from coachworks.cli.showroom.canvas import HEIGHT_PX, WIDTH_PX, Canvas, box, ellipse, rounded, smooth
from coachworks.cli.showroom.paint import Colour, darker, from_hsv, lighter


def draw_obstacle(canvas: Canvas, rng: random.Random) -> None:
    """Hide a good part of what is drawn: a pillar, a tree, people, a sign, a fence, a finger on the lens."""
    rng.choice([_pillar, _tree, _people, _sign, _fence, _finger])(canvas, rng)


def _pillar(canvas: Canvas, rng: random.Random) -> None:
    left, width = rng.uniform(84, 170), rng.uniform(58, 96)
    tone = from_hsv(rng.choice([0.08, 0.6, 0.02]), rng.uniform(0.03, 0.3), rng.uniform(0.45, 0.8))
    for index in range(12):
        share = abs(index - 4) / 8
        canvas.polygon(
            box(left + width * index / 12, -2, left + width * (index + 1) / 12 + 1, 242), darker(tone, share * 0.7)
        )
    if rng.random() < 0.6:
        for y in range(150, 240, 22):
            canvas.polygon([(left, y), (left + width, y - 14), (left + width, y - 3), (left, y + 11)], (236, 196, 40))


def _tree(canvas: Canvas, rng: random.Random) -> None:
    middle, half = rng.uniform(110, 210), rng.uniform(20, 34)
    bark = from_hsv(0.07, rng.uniform(0.25, 0.5), rng.uniform(0.26, 0.42))
    trunk = [
        (middle - half, -2),
        (middle + half * 0.8, -2),
        (middle + half, 150),
        (middle + half * 1.7, 244),
        (middle - half * 1.6, 244),
    ]
    canvas.polygon(smooth(trunk, rounds=2), darker(bark, 0.2))
    canvas.polygon(smooth([(x - half * 0.3 if x > middle else x, y) for x, y in trunk], rounds=2), bark)
    for _ in range(14):
        x, y = rng.uniform(middle - half * 0.8, middle + half * 0.8), rng.uniform(10, 210)
        canvas.line([(x, y), (x + rng.uniform(-3, 3), y + rng.uniform(10, 30))], darker(bark, 0.5), 1.2)
    leaf = from_hsv(rng.uniform(0.22, 0.36), 0.6, rng.uniform(0.35, 0.55))
    for _ in range(26):
        at = (middle + rng.uniform(-120, 120), rng.uniform(-16, 56))
        canvas.polygon(
            ellipse(at, rng.uniform(12, 24))[::3], rng.choice([leaf, lighter(leaf, 0.15), darker(leaf, 0.25)])
        )


def _people(canvas: Canvas, rng: random.Random) -> None:
    middle = rng.uniform(96, 190)
    for _ in range(rng.randint(1, 3)):
        tall = rng.uniform(176, 222)
        foot = 250.0
        skin = from_hsv(0.07, rng.uniform(0.3, 0.6), rng.uniform(0.4, 0.92))
        coat = from_hsv(rng.random(), rng.uniform(0.1, 0.7), rng.uniform(0.2, 0.8))
        legs: Colour = rng.choice([(36, 40, 58), (60, 56, 52), (24, 24, 26)])
        top, half = foot - tall, tall * 0.14
        for side in (-1, 1):
            canvas.polygon(
                [
                    (middle, foot - tall * 0.5),
                    (middle + side * half * 0.95, foot - tall * 0.5),
                    (middle + side * half * 0.9, foot),
                    (middle + side * half * 0.2, foot),
                ],
                legs,
            )
        body = smooth(
            [
                (middle - half, top + tall * 0.2),
                (middle + half, top + tall * 0.2),
                (middle + half * 1.25, foot - tall * 0.44),
                (middle - half * 1.25, foot - tall * 0.44),
            ],
            rounds=2,
        )
        canvas.shaded(body, [(0, lighter(coat, 0.15)), (1, darker(coat, 0.25))])
        for side in (-1, 1):
            arm = [
                (middle + side * half * 0.8, top + tall * 0.2),
                (middle + side * half * 1.35, top + tall * 0.24),
                (middle + side * half * 1.5, foot - tall * 0.46),
                (middle + side * half * 1.1, foot - tall * 0.46),
            ]
            canvas.polygon(smooth(arm, rounds=1), darker(coat, 0.18))
        canvas.polygon(
            box(middle - half * 0.3, top + tall * 0.12, middle + half * 0.3, top + tall * 0.2), darker(skin, 0.15)
        )
        canvas.polygon(ellipse((middle, top + tall * 0.085), (tall * 0.056, tall * 0.075)), skin)
        canvas.polygon(
            ellipse((middle, top + tall * 0.066), (tall * 0.062, tall * 0.07), 180, 360),
            from_hsv(0.08, 0.5, rng.uniform(0.1, 0.5)),
        )
        middle += rng.uniform(44, 76) * rng.choice([-1, 1])


def _sign(canvas: Canvas, rng: random.Random) -> None:
    left, top = rng.uniform(50, 110), rng.uniform(74, 112)
    width, tall = rng.uniform(110, 160), rng.uniform(76, 104)
    board = from_hsv(rng.random(), rng.uniform(0.2, 0.8), rng.uniform(0.5, 0.9))
    for x in (left + 16, left + width - 16):
        canvas.polygon(box(x - 3, top + tall - 4, x + 3, 244), (120, 122, 126))
    canvas.polygon(rounded(left, top, left + width, top + tall, 5), darker(board, 0.5))
    canvas.shaded(
        rounded(left + 4, top + 4, left + width - 4, top + tall - 4, 4), [(0, lighter(board, 0.2)), (1, board)]
    )
    for share in (0.3, 0.52, 0.74):
        canvas.polygon(
            box(left + 16, top + tall * share - 4, left + width * rng.uniform(0.5, 0.9), top + tall * share + 3),
            lighter(board, 0.75),
        )


def _fence(canvas: Canvas, rng: random.Random) -> None:
    tone = from_hsv(rng.choice([0.08, 0.6]), rng.uniform(0.05, 0.5), rng.uniform(0.25, 0.7))
    top, width, gap = rng.uniform(66, 98), rng.uniform(15, 24), rng.uniform(10, 15)
    for y in (top + 26, 214):
        canvas.polygon(box(-2, y, WIDTH_PX + 2, y + 11), darker(tone, 0.3))
    for left in np.arange(rng.uniform(-20, 0), WIDTH_PX, width + gap):
        canvas.polygon(
            [(left, top), (left + width / 2, top - 9), (left + width, top), (left + width, 244), (left, 244)], tone
        )
        canvas.polygon(box(left + width * 0.72, top, left + width, 244), darker(tone, 0.25))


def _finger(canvas: Canvas, rng: random.Random) -> None:
    skin = from_hsv(rng.uniform(0.02, 0.06), rng.uniform(0.45, 0.65), rng.uniform(0.6, 0.9))
    corner = (rng.choice([-10.0, WIDTH_PX + 10.0]), rng.choice([60.0, float(HEIGHT_PX)]))
    towards = (160 - corner[0]) * 0.012
    for step in range(26):
        at = (corner[0] + towards * step * 3.0, corner[1] - step * 1.6)
        canvas.glow(at, (118 - step, 104 - step), darker(skin, 0.25 - step * 0.008), 0.55)
