"""Views from so near that the surroundings of the car do not show."""

import random
from collections.abc import Callable

from coachworks.cli.showroom.cabin_view import draw_interior
from coachworks.cli.showroom.canvas import Canvas
from coachworks.cli.showroom.car import Car
from coachworks.cli.showroom.part_views import draw_close_up, draw_close_up_with_text
from coachworks.cli.showroom.wheel_view import draw_wheel_photo

NEAR_VIEWS: dict[str, Callable[[Canvas, Car, random.Random], None]] = {
    "interior": draw_interior,
    "close-up": draw_close_up,
    "close-up-with-text": draw_close_up_with_text,
    "wheel": draw_wheel_photo,
}
