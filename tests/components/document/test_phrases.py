"""Phrases: the docstrings' examples hold, and rounding never claims more precision than there is."""

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
def test_only_a_share_of_one_reads_100_percent(share):
    assert not phrases.percent(share).startswith("100")


@given(st.floats(0, 1, exclude_min=True))
def test_only_a_share_of_zero_reads_0_percent(share):
    assert phrases.percent(share) != "0\u00a0%"


def test_a_value_just_below_its_limit_reads_differently_from_it():
    assert phrases.percents(0.8496, 0.85) == ["84.96\u00a0%", "85.00\u00a0%"]


def test_missing_values_are_not_measured_or_unknown():
    assert phrases.interval(0.5, None) == "not measured"
    assert phrases.duration(None) == "not measured"
    assert phrases.day(None) == "unknown"
    assert phrases.moment("yesterday") is None
