"""Suggestions of the wording helpers; their other behaviour is in the examples of the docstrings."""

import pytest

from coachworks import wording


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
