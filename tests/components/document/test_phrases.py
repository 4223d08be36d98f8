"""Numbers in words: the examples of the docstrings hold, and rounding never says more than is known."""

import doctest
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.document import escaping, phrases


@pytest.mark.parametrize("module", [phrases, escaping], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_hold(module: ModuleType):
    assert doctest.testmod(module).failed == 0


@given(st.floats(0, 1, exclude_max=True))
def test_only_all_is_a_hundred_percent(share):
    assert not phrases.percent(share).startswith("100")


@given(st.floats(0, 1, exclude_min=True))
def test_only_none_is_zero_percent(share):
    assert phrases.percent(share) != "0\u00a0%"


def test_a_value_just_below_its_limit_does_not_read_as_equal_to_it():
    assert phrases.percents(0.8496, 0.85) == ["84.96\u00a0%", "85.00\u00a0%"]


def test_what_is_not_known_is_said_so():
    assert phrases.interval(0.5, None) == "not measured"
    assert phrases.duration(None) == "not measured"
    assert phrases.day(None) == "unknown"
    assert phrases.moment("yesterday") is None
