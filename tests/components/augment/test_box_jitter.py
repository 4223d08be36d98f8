"""Jitter of boxes: which views it moves, how far, and what it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachworks.errors import InvalidConfigError
from coachworks.fleet.model import Augment
from coachworks.photos import Box, Crop
from components.augment.policy import moved_box, policy_of


def policy(**arguments: float):
    return policy_of(Augment(transforms=[{"flip-left-right": {}}, {"box-jitter": arguments}]))


def test_every_side_moves_by_up_to_so_much_and_the_same_view_in_the_same_way() -> None:
    moves = [moved_box(policy(percent=20, p=1.0), f"{photo}", 1) for photo in range(60)]
    for side in range(4):
        shares = [move[side] for move in moves]
        assert -0.2 <= min(shares) < -0.1
        assert 0.1 < max(shares) <= 0.2
    assert moves[0] == moved_box(policy(percent=20, p=1.0), "0", 1) != moved_box(policy(percent=20, p=1.0), "0", 2)


def test_it_moves_the_views_that_its_probability_draws() -> None:
    moved = [moved_box(policy(p=0.3), f"{photo}", 1) is not None for photo in range(200)]
    assert 40 <= sum(moved) <= 80
    assert moved_box(policy_of(Augment(transforms=[{"flip-left-right": {"p": 1.0}}])), "0", 1) is None


@given(moved=st.tuples(*[st.floats(-0.4, 0.4)] * 4), margin=st.floats(0, 1))
def test_a_moved_box_keeps_an_area_and_stays_in_the_photo(moved: tuple[float, ...], margin: float) -> None:
    area = Crop(Box(10, 20, 60, 45), margin, moved).area.within(100, 50)
    assert 0 <= area.x1 < area.x2 <= 100
    assert 0 <= area.y1 < area.y2 <= 50


def test_inside_of_a_group_it_is_refused_with_the_way_out() -> None:
    nested = {"OneOf": {"transforms": [{"box-jitter": {}}, {"HorizontalFlip": {}}]}}
    with pytest.raises(InvalidConfigError, match=r"'OneOf' must not hold box-jitter.*Put `- box-jitter"):
        policy_of(Augment(transforms=[nested]))
