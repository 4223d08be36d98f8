"""Plan of the showroom: every car in every view, with places and damages distributed evenly."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from coachworks.cli.showroom.car import Car, body_types, build_car, paints
from coachworks.cli.showroom.near_views import NEAR_VIEWS
from coachworks.cli.showroom.photographer import Shot, truth
from coachworks.cli.showroom.surroundings import PLACES

SKILLS = {
    "image-content": "What does the photo show?",
    "image-quality": "Is the photo good enough to be used?",
    "body-type": "What kind of car is it?",
    "paint-colour": "Which colour is the car painted in?",
    "surroundings": "Where does the car stand?",
}
_VIEWS = (
    ("exterior", False),
    ("exterior", False),
    ("exterior", False),
    ("exterior", True),
    ("interior", False),
    ("close-up", False),
    ("close-up-with-text", False),
    ("obstructed", False),
    ("opening-mechanism", False),
    ("wheel", False),
)
_DAMAGES = ("blurry", "low-resolution", "distorted")
# Each damage is on at least an eighth of the photos, and most photos still show the body type well.
_DAMAGED_WHOLE, _DAMAGED_OTHERS = 1, 3
_OPENING_DAY = datetime(2025, 3, 3, 9, 0)
_UNSURE_SHARE = 0.15  # of the damaged photos with an obstacle


@dataclass(frozen=True)
class PlannedPhoto:
    """A photo to take.

    Attributes:
        filename: Its file name.
        seed: Seed of its random choices.
        car: The car.
        set_id: UUID of the car: its photos are a set.
        shot: View, place and damage.
        taken_at: Time of the photo.
        labels: Its label in the table, by skill; empty where a skill does not apply.
    """

    filename: str
    seed: str
    car: Car
    set_id: str
    shot: Shot
    taken_at: datetime
    labels: dict[str, str]


def plan_photos(cars: int, seed: int) -> Iterator[PlannedPhoto]:
    """Yield the photos of `cars` cars, car by car; equal seeds give equal photos."""
    for number in range(cars):
        rng = random.Random(f"car {seed} {number}")  # noqa: S311 — not for secrets
        body = body_types()[number % len(body_types())]
        colour = paints()[(number + number // len(body_types())) % len(paints())]
        car = build_car(body, colour, rng)
        day = _OPENING_DAY + timedelta(days=number * 2, minutes=rng.randrange(480))
        damaged = dict(zip(_damaged_views(rng), _damages(number), strict=True))
        for index, (content, end) in enumerate(_VIEWS):
            place = list(PLACES)[(number + index * 2) % len(PLACES)]
            shot = Shot(content=content, place=place, quality=damaged.get(index, "good"), end=end)
            labels = truth(shot, car)
            if content == "obstructed" and shot.quality != "good" and rng.random() < _UNSURE_SHARE:
                labels["image-content"] = "unsure"
            yield PlannedPhoto(
                filename=f"car-{number + 1:03}-{index + 1}.jpg",
                seed=f"photo {seed} {number} {index}",
                car=car,
                set_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://coachworks.dev/showroom/{seed}/{number}")),
                shot=shot,
                taken_at=day + timedelta(minutes=index),
                labels=labels,
            )


def plan_unseen(seed: int) -> Iterator[PlannedPhoto]:
    """Yield three photos of cars that are not in the showroom, to classify."""
    shots = {
        "van-in-the-snow.jpg": ("van", "yellow", Shot("exterior", "snow", "good")),
        "door-at-night.jpg": ("saloon", "red", Shot("opening-mechanism", "street-at-night", "good")),
        "blurry-wheel.jpg": ("suv", "blue", Shot("wheel", "street", "blurry")),
    }
    for number, (filename, (body, colour, shot)) in enumerate(shots.items()):
        car = build_car(body, colour, random.Random(f"unseen car {seed} {number}"))  # noqa: S311 — not for secrets
        yield PlannedPhoto(
            filename=filename,
            seed=f"unseen photo {seed} {number}",
            car=car,
            set_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://coachworks.dev/showroom/{seed}/unseen/{number}")),
            shot=shot,
            taken_at=_OPENING_DAY + timedelta(days=400 + number),
            labels=truth(shot, car),
        )


def _damaged_views(rng: random.Random) -> list[int]:
    whole = [index for index, (content, end) in enumerate(_VIEWS) if content not in NEAR_VIEWS and not end]
    others = [index for index in range(len(_VIEWS)) if index not in whole]
    return rng.sample(whole, _DAMAGED_WHOLE) + rng.sample(others, _DAMAGED_OTHERS)


def _damages(number: int) -> list[str]:
    return [_DAMAGES[(number + index) % len(_DAMAGES)] for index in range(_DAMAGED_WHOLE + _DAMAGED_OTHERS)]
