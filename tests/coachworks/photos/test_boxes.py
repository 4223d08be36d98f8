"""Boxes in photos: how they are written, what is refused, what lies inside."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachworks.photos import WHOLE, Box, Frame, check_inside, parse_box, parse_turn
from coachworks.photos.boxes import prefixed, unprefixed


@pytest.mark.parametrize(
    "written", ["10,20,110,80", " 10 20 110 80 ", "[10, 20, 110, 80]", "10; 20; 110; 80", [10, 20, 110, 80]]
)
def test_a_box_is_four_numbers_as_text_or_list(written: object) -> None:
    assert parse_box(written) == (10, 20, 110, 80)
    assert parse_box(str(parse_box(written))) == (10, 20, 110, 80)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("1,2,3", r"must be four numbers x1,y1,x2,y2; got '1,2,3'"),
        ("a,b,c,d", r"must be four numbers x1,y1,x2,y2; got 'a,b,c,d'"),
        ("[1,2", r"must be four numbers"),
        (7, r"must be four numbers x1,y1,x2,y2; got 7"),
        ("1,2,nan,4", r"must be four finite numbers"),
        ("1,2,inf,4", r"must be four finite numbers"),
        ("10,2,10,4", r"must have x1 < x2 and y1 < y2; got '10,2,10,4'"),
        ("1,9,10,4", r"must have x1 < x2 and y1 < y2"),
    ],
)
def test_what_is_no_box_is_refused_with_rule_and_value(written: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_box(written)


@pytest.mark.parametrize("box", [(-1, 0, 5, 5), (0, -0.5, 5, 5), (0, 0, 101, 5), (0, 0, 5, 50.5)])
def test_a_box_that_reaches_out_of_its_photo_is_refused(box: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"must lie inside its photo, which is 100 × 50 pixels upright; got '"):
        check_inside(Box(*box), 100, 50)
    check_inside(Box(0, 0, 100, 50), 100, 50)


@given(x=st.floats(0, 99), y=st.floats(0, 49), w=st.floats(0.01, 100), h=st.floats(0.01, 50), margin=st.floats(0, 1))
def test_with_a_margin_a_box_still_ends_at_the_photo(x: float, y: float, w: float, h: float, margin: float) -> None:
    box = Box(x, y, min(100.0, x + w), min(50.0, y + h))
    inside = box.with_margin(margin).within(100, 50)
    assert 0 <= inside.x1 < inside.x2 <= 100
    assert 0 <= inside.y1 < inside.y2 <= 50
    assert inside.x1 <= math.ceil(box.x1)
    assert inside.x2 >= math.floor(box.x2)


@pytest.mark.parametrize("frame", [WHOLE, Frame(Box(1.5, 2, 3, 4)), Frame(None, 90), Frame(Box(1, 2, 3, 4), 270)])
def test_a_photo_and_its_frame_travel_together(frame: Frame) -> None:
    assert unprefixed(prefixed(frame, b"photo")) == (frame, b"photo")


@pytest.mark.parametrize("written", ["45", "-90", "north", None, 360, "nan"])
def test_what_is_no_quarter_turn_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"must be 0, 90, 180 or 270 degrees clockwise; got "):
        parse_turn(written)
