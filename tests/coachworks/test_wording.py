import doctest

import pytest

from coachworks import wording


def test_the_examples_of_the_wording_helpers_hold():
    assert doctest.testmod(wording).failed == 0


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("EXTERIOR", "Exterior"),
        (" wheel ", "wheel"),
        ("closeup", "close-up"),
        (7, None),
        ("", None),
    ],
)
def test_a_suggestion_ignores_case_and_surrounding_space(word, meant):
    assert wording.closest(word, ["Exterior", "wheel", "close-up"]) == meant
