"""The showroom: the same photos for the same seed, a table and a fleet file that hold together."""

import csv
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coachworks.cli.showroom.canvas import HEIGHT_PX, WIDTH_PX
from coachworks.cli.showroom.plan import plan_photos
from coachworks.cli.showroom.showroom import CARS, Showroom, draw_showroom
from coachworks.errors import PhotoError
from coachworks.fleet.reader import read_fleet
from coachworks.photos import decode_photo

FEW = 6  # cars: one of each body type


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Showroom]:
    """A small showroom and the folder that it is in."""
    folder = tmp_path_factory.mktemp("room")
    return folder, draw_showroom(folder, cars=FEW, seed=3)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "photos.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_fleet_file_is_valid_and_its_skills_are_the_columns_of_the_table(room):
    folder, _ = room
    fleet = read_fleet(folder / "fleet.yaml")
    assert list(fleet.spec.skills) == list(rows(folder)[0])[5:]
    assert fleet.spec.skills["image-content"].similar == [["close-up", "close-up-with-text"]]
    assert fleet.spec.sources[0].table == str(folder / "photos.csv")


def test_every_label_is_one_of_the_fleet_or_its_unsure(room):
    folder, _ = room
    for name, skill in read_fleet(folder / "fleet.yaml").spec.skills.items():
        allowed = {*skill.labels, skill.unsure, ""}
        assert {row[name] for row in rows(folder)} <= allowed


def test_every_file_is_in_the_table_and_every_row_is_a_file(room):
    folder, drawn = room
    names = {path.name for path in (folder / "photos").iterdir()}
    assert {row["filename"] for row in rows(folder)} == names
    assert drawn.photos == len(names) == FEW * 10 + 2


def test_one_photo_is_truncated_and_one_is_there_twice_and_all_others_are_whole_and_different(room):
    folder, _ = room
    contents: Counter[bytes] = Counter()
    broken = []
    for path in sorted((folder / "photos").iterdir()):
        contents[path.read_bytes()] += 1
        try:
            assert decode_photo(path.read_bytes()).size == (WIDTH_PX, HEIGHT_PX)
        except PhotoError as err:
            broken.append((path.name, err.reason))
    assert broken == [("broken-off.jpg", "truncated")]
    assert sorted(contents.values())[-2:] == [1, 2]


def test_the_photos_of_a_car_are_a_set_and_carry_their_date(room):
    folder, _ = room
    sets = defaultdict(set)
    for row in rows(folder):
        if row["filename"].startswith("car-"):
            sets[row["set_id"]].add(row["filename"][:7])
            taken = Image.open(folder / "photos" / row["filename"]).getexif().get_ifd(0x8769)[0x9003]
            assert taken.replace(":", "-", 2) == row["taken_at"]
    assert len(sets) == FEW
    assert all(len(cars) == 1 for cars in sets.values())


def test_equal_seeds_draw_equal_photos_and_others_do_not(room, tmp_path):
    folder, _ = room
    draw_showroom(tmp_path / "same", cars=1, seed=3)
    draw_showroom(tmp_path / "other", cars=1, seed=4)
    first = (folder / "photos/car-001-1.jpg").read_bytes()
    assert (tmp_path / "same/photos/car-001-1.jpg").read_bytes() == first
    assert (tmp_path / "other/photos/car-001-1.jpg").read_bytes() != first


def test_a_showroom_that_is_there_is_left_as_it_is(room):
    folder, before = room
    table = folder / "photos.csv"
    text = table.read_text()
    table.write_text(text.replace("red", "blue"))
    again = draw_showroom(folder, cars=FEW, seed=3)
    assert not again.drawn
    assert again.photos == before.photos
    assert again.unseen == before.unseen
    assert table.read_text() == text.replace("red", "blue")
    table.write_text(text)


def test_the_photos_to_ask_about_are_of_no_car_in_the_showroom(room):
    folder, drawn = room
    known = {path.read_bytes() for path in (folder / "photos").iterdir()}
    assert len(drawn.unseen) == 3
    for path, truth in drawn.unseen.items():
        assert path.read_bytes() not in known
        assert truth["image-content"] in {"exterior", "opening-mechanism", "wheel"}


def test_damage_shows_in_the_pixels(room):
    folder, _ = room
    detail = defaultdict(list)
    for row in rows(folder):
        if row["filename"].startswith("car-"):
            grey = np.asarray(Image.open(folder / "photos" / row["filename"]).convert("L"), dtype=np.float32)
            detail[row["image-quality"]].append(float(np.abs(np.diff(grey, axis=1)).mean()))
    assert set(detail) == {"good", "blurry", "low-resolution", "distorted"}
    assert np.mean(detail["blurry"]) < 0.6 * np.mean(detail["good"])


def test_the_whole_showroom_has_every_combination_of_body_and_paint_and_enough_of_every_label():
    planned = list(plan_photos(CARS, 0))
    assert len({(photo.car.body, photo.car.colour) for photo in planned}) == 6 * 6
    assert len({photo.filename for photo in planned}) == len(planned) == CARS * 10
    for skill in planned[0].labels:
        counts = Counter(photo.labels[skill] for photo in planned if photo.labels[skill] not in {"", "unsure"})
        assert min(counts.values()) >= 40, counts


def test_progress_counts_every_photo(tmp_path):
    counted = []

    class Count:
        def task(self, name, *, total, unit):
            counted.append((name, total, unit))
            return self

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def advance(self, amount=1):
            counted.append(amount)

        def note(self, text):
            raise AssertionError(text)

    draw_showroom(tmp_path, cars=1, progress=Count())
    assert counted[0] == ("draw", 13, "photos")
    assert sum(counted[1:]) == 13
