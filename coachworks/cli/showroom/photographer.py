"""One photo of a car: view, place, light and damage; and its true labels."""

import random
from dataclasses import dataclass

import numpy as np
from PIL import Image

from coachworks.cli.showroom.canvas import Canvas, Points
from coachworks.cli.showroom.car import Car
from coachworks.cli.showroom.damage import damage, develop
from coachworks.cli.showroom.end_view import draw_end
from coachworks.cli.showroom.near_views import NEAR_VIEWS
from coachworks.cli.showroom.obstacles import draw_obstacle
from coachworks.cli.showroom.side_view import Open, draw_side
from coachworks.cli.showroom.surroundings import draw_surroundings, snowfall

_NIGHT = "street-at-night"


@dataclass(frozen=True)
class Shot:
    """A photo to take.

    Attributes:
        content: Content of the photo, a label of `image-content`.
        end: True for an exterior from the front or rear rather than from the side.
        place: Surroundings of the car; without effect on photos from near.
        quality: Its damage, a label of `image-quality`.
    """

    content: str
    place: str
    quality: str
    end: bool = False


def take(shot: Shot, car: Car, rng: random.Random) -> Image.Image:
    """Return the photo, RGB, `WIDTH_PX` by `HEIGHT_PX`."""
    canvas = Canvas()
    if shot.content in NEAR_VIEWS:
        NEAR_VIEWS[shot.content](canvas, car, rng)
    else:
        _take_outside(canvas, shot, car, rng)
    return damage(develop(canvas.photo(), rng), shot.quality, rng)


def truth(shot: Shot, car: Car) -> dict[str, str]:
    """Return the true labels of a photo by skill, empty where a skill does not apply."""
    near = shot.content in NEAR_VIEWS
    return {
        "image-content": shot.content,
        "image-quality": shot.quality,
        "body-type": car.body if shot.content == "exterior" and not shot.end else "",
        "paint-colour": "" if shot.content in {"interior", "wheel"} else car.colour,
        "surroundings": "" if near else shot.place,
    }


def _take_outside(canvas: Canvas, shot: Shot, car: Car, rng: random.Random) -> None:
    horizon = rng.uniform(116, 146)
    draw_surroundings(canvas, shot.place, horizon, rng)
    lamps_on = shot.place == _NIGHT
    ground = rng.uniform(192, 212)
    if shot.end:
        size = min(146 / car.shape.height, 176 / car.shape.width) * rng.uniform(0.84, 1.06)
        canvas.frame = _frame(160 + rng.uniform(-30, 30), ground, size)
        draw_end(canvas, car, rear=rng.random() < 0.5, lamps_on=lamps_on)
    else:
        mirrored, opened = rng.random() < 0.5, _openings(shot, car, rng)
        size = rng.uniform(62, 76) if opened else rng.uniform(54, 60)
        middle = 160 + rng.uniform(-14, 14)
        if opened:  # the camera is nearer, and points at the opening
            centre = 0.82 if opened == ["boot"] else 0.36
            middle -= (centre - 0.5) * size * car.shape.length * rng.uniform(0.3, 0.7) * (-1 if mirrored else 1)
        yaw = rng.uniform(-0.22, 0.22)
        canvas.frame = _frame(middle, ground, size, car.shape.length, mirrored=mirrored, yaw=yaw)
        draw_side(canvas, car, opened=opened, lamps_on=lamps_on, turn=rng.uniform(0, 90))
    if shot.place == "showroom":
        _reflect(canvas, round(ground * 2))
    canvas.frame = np.eye(3)
    if lamps_on:
        canvas.glass([(-2, -2), (322, -2), (322, 242), (-2, 242)], (10, 14, 44), rng.uniform(0.15, 0.30))
        canvas.glow((rng.uniform(60, 260), 60), (150, 120), (255, 214, 140), 0.2)
    if shot.content == "obstructed":
        draw_obstacle(canvas, rng)
    if shot.place == "snow":
        snowfall(canvas, rng)


def _openings(shot: Shot, car: Car, rng: random.Random) -> list[Open]:
    if shot.content != "opening-mechanism":
        return []
    openings: tuple[Open, ...] = ("door", "bonnet", "boot")
    opened = rng.sample(openings, rng.choice((1, 2, 2, 3)))
    if opened == ["boot"] and car.body in {"van", "pickup"}:
        opened.append("door")  # their open rear hardly shows from the side
    return opened


def _frame(
    middle: float, ground: float, size: float, length: float = 0, *, mirrored: bool = False, yaw: float = 0
) -> Points:
    """Return a homography from metres to pixels: `size` pixels per metre, turned slightly to one end (`yaw`)."""
    across = -size if mirrored else size
    place = np.array([[across, 0, middle - across * length / 2], [0, -size, ground], [0, 0, 1.0]])
    eye = ground - 1.3 * size
    centred = np.array([[1, 0, -middle], [0, 1, -eye], [0, 0, 1.0]])
    turned = np.array([[1, 0, 0], [0, 1, 0], [yaw / (size * length) if length else 0, 0, 1]])
    back = np.array([[1, 0, middle], [0, 1, eye], [0, 0, 1.0]])
    frame: Points = back @ turned @ centred @ place
    return frame


def _reflect(canvas: Canvas, ground: int) -> None:
    """Draw a polished floor, which faintly mirrors the part of the photo above the line `ground`."""
    image = canvas.image
    deep = min(image.height - ground, ground)
    above = image.crop((0, ground - deep, image.width, ground)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    fade = Image.fromarray(np.linspace(64, 0, deep).astype(np.uint8)[:, None]).resize((image.width, deep))
    image.paste(above, (0, ground), fade)
