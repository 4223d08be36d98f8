"""Drawn cars in a street of cars: which one is meant, only its box tells."""

import csv
import random
from pathlib import Path

import pytest
from PIL import Image
from small_fleets import small_fleet

from coachworks.cli.showroom.car import build_car, paints
from coachworks.cli.showroom.photographer import Shot, take
from coachworks.context import open_context
from coachworks.fleet.model import Fleet
from components.embed.probing.comparison import ProbeConfig, compare
from components.ingest.step import ingest
from components.split.step import split
from components.validate.step import validate

BODIES = ("van", "saloon", "pickup")
PHOTOS = 150
PLACES = [(0, 0), (320, 0), (0, 240), (320, 240)]


def draw_street(folder: Path) -> None:
    """Draw photos of four cars each, and a table with the body and the box of one of them."""
    rng = random.Random(0)  # noqa: S311 — not for secrets
    (folder / "photos").mkdir()
    with (folder / "photos.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["filename", "permission", "body-type", "box_xyxy"])
        for number in range(PHOTOS):
            photo, chosen = Image.new("RGB", (640, 480)), rng.randrange(4)
            bodies = [BODIES[number % 3] if place == chosen else rng.choice(BODIES) for place in range(4)]
            for place, body in zip(PLACES, bodies, strict=True):
                car = build_car(body, rng.choice(list(paints())), rng)
                photo.paste(take(Shot("exterior", "street", "good"), car, rng), place)
            photo.save(folder / "photos" / f"{number}.jpg", quality=88)
            x, y = PLACES[chosen]
            table.writerow([f"{number}.jpg", "CC0", BODIES[number % 3], f"{x},{y},{x + 320},{y + 240}"])


def fleet_of(folder: Path, **framing: object) -> Fleet:
    skill = {"labels": [*BODIES], "gates": {"minPhotosPerLabel": 10}}
    return small_fleet({"body-type": skill}, store=str(folder / "store"), framing=framing).located(folder)


@pytest.mark.slow
def test_a_skill_is_far_more_accurate_on_boxes_where_a_photo_shows_several_things(tmp_path: Path) -> None:
    draw_street(tmp_path)
    accuracy = {}
    for name, framing in (("whole", {}), ("box", {"crop": "box", "margin": 0.05})):
        fleet = fleet_of(tmp_path, **framing)
        context = open_context(fleet)
        validated = validate(
            fleet, split(fleet, ingest(fleet, context=context).key, context=context).key, context=context
        )
        config = ProbeConfig(photos=PHOTOS, folds=3)
        report = compare(fleet, validated, ["efficientnet-lite0"], config=config, context=context)
        accuracy[name] = report.backbones[0].mean
    print({name: f"{mean.value:.3f} ({mean.low:.3f}–{mean.high:.3f})" for name, mean in accuracy.items()})
    assert accuracy["box"].value > 0.85
    assert accuracy["box"].low > accuracy["whole"].high
