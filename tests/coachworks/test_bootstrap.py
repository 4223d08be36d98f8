import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from coachworks.bootstrap import bca, metric_intervals, resampled, share_below
from coachworks.scores import tally, tally_by_set

SETTINGS = {"replicates": 500, "confidence": 0.95, "seed": 0}


@st.composite
def answered(draw):
    """True labels, answers and sets of up to 30 photos."""
    photos, labels = draw(st.integers(1, 30)), draw(st.integers(2, 4))
    index = st.lists(st.integers(0, labels - 1), min_size=photos, max_size=photos)
    sets = draw(st.lists(st.integers(0, 6), min_size=photos, max_size=photos))
    return np.array(draw(index)), np.array(draw(index)), labels, np.array(sets)


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    answers = rng.choice(4, 300, p=[0.5, 0.3, 0.15, 0.05])
    predicted = np.where(rng.random(300) < 0.75, answers, rng.integers(0, 4, 300))
    return answers, predicted


def test_a_replicate_equals_a_plain_loop_over_drawn_sets(drawn):
    answers, predicted = drawn
    sets = np.arange(300) // 3
    fast = resampled(tally_by_set(answers, predicted, 4, sets), 3, seed=7)
    rng = np.random.default_rng(7)
    for replicate, chosen in enumerate(rng.integers(0, 100, (3, 100))):
        photos = np.concatenate([np.flatnonzero(sets == name) for name in chosen])
        slow = tally(answers[photos], predicted[photos], 4)
        assert_allclose(fast.balanced_accuracy[replicate], slow.balanced_accuracy)
        assert_allclose(fast.precision[replicate], slow.precision)


@settings(deadline=None)  # the first example imports scipy
@given(answered())
def test_every_number_lies_in_its_interval_and_in_bounds(drawn):
    answers, predicted, labels, sets = drawn
    for rows in metric_intervals(tally_by_set(answers, predicted, labels, sets), **SETTINGS).values():
        for number in rows:
            known = [math.isnan(x) for x in (number.value, number.low, number.high)]
            assert all(known) or not any(known)
            if not any(known):
                assert -1e-9 <= number.low <= number.value <= number.high <= 1 + 1e-9


@settings(deadline=None)  # the first example imports scipy
@given(answered())
def test_the_order_of_the_photos_does_not_matter(drawn):
    answers, predicted, labels, sets = drawn
    order = np.random.default_rng(0).permutation(len(answers))
    one = metric_intervals(tally_by_set(answers, predicted, labels, sets), **SETTINGS)
    other = metric_intervals(tally_by_set(answers[order], predicted[order], labels, sets[order]), **SETTINGS)
    assert repr(one) == repr(other)


def test_photos_of_one_set_count_as_the_evidence_of_one(drawn):
    answers, predicted = drawn
    copies = np.tile(answers, 5), np.tile(predicted, 5)
    sets = np.tile(np.arange(300), 5)
    once = metric_intervals(tally_by_set(answers, predicted, 4, np.arange(300)), **SETTINGS)["accuracy"][0]
    together = metric_intervals(tally_by_set(*copies, 4, sets), **SETTINGS)["accuracy"][0]
    apart = metric_intervals(tally_by_set(*copies, 4, np.arange(1500)), **SETTINGS)["accuracy"][0]
    assert (together.low, together.high) == pytest.approx((once.low, once.high))
    assert apart.high - apart.low < 0.6 * (together.high - together.low)


def test_the_interval_is_that_of_scipy(drawn):
    from scipy.stats import bootstrap

    answers, predicted = drawn
    right = (answers == predicted).astype(float)
    reference = bootstrap(
        (right,), np.mean, n_resamples=5000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    ours = metric_intervals(
        tally_by_set(answers, predicted, 4, np.arange(300)), replicates=5000, confidence=0.95, seed=0
    )["accuracy"][0]
    assert_allclose((ours.low, ours.high), (reference.low, reference.high), atol=0.006)


def test_no_mistakes_in_few_sets_prove_little():
    answers = np.array([0, 1, 0, 1, 0])
    number = metric_intervals(tally_by_set(answers, answers, 2, np.arange(5)), **SETTINGS)["accuracy"][0]
    # Clopper and Pearson: 0.025 ** (1 / 5)
    assert (number.value, number.high) == (1, 1)
    assert number.low == pytest.approx(0.4782, abs=1e-3)


def test_no_right_answer_in_few_sets_proves_little():
    answers = np.array([0, 1, 0, 1])
    number = metric_intervals(tally_by_set(answers, 1 - answers, 2, np.arange(4)), **SETTINGS)["balanced_accuracy"][0]
    assert (number.value, number.low) == (0, 0)
    assert number.high == pytest.approx(1 - 0.025**0.25)


def test_one_set_with_mistakes_proves_next_to_nothing():
    numbers = metric_intervals(tally_by_set(np.array([0, 0, 1]), np.array([0, 1, 1]), 2, np.zeros(3)), **SETTINGS)
    accuracy = numbers["accuracy"][0]
    # of one trial: at most 0.975 of all sets differ from this one
    assert (accuracy.low, accuracy.high) == pytest.approx((2 / 3 * 0.025, 1 - 1 / 3 * 0.025))


def test_a_label_without_photos_has_no_recall():
    numbers = metric_intervals(tally_by_set(np.array([0, 0, 1]), np.array([0, 0, 1]), 3, np.arange(3)), **SETTINGS)
    assert math.isnan(numbers["recall"][2].value)
    assert math.isnan(numbers["recall"][2].low)
    assert math.isnan(numbers["precision"][2].value)
    assert numbers["balanced_accuracy"][0].value == 1


def test_the_coverage_is_the_requested_confidence():
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(150):
        right = np.repeat(rng.random(60) < 0.8, 2)  # sets of two photos that share their fate
        answers = np.zeros(120, int)
        number = metric_intervals(
            tally_by_set(answers, np.where(right, 0, 1), 2, np.arange(120) // 2),
            replicates=300,
            confidence=0.9,
            seed=trial,
        )["accuracy"][0]
        hits += number.low <= 0.8 <= number.high
    assert 0.83 <= hits / 150 <= 0.97


def test_replicates_on_which_the_number_is_not_defined_are_left_out():
    replicates = np.array([0.5, 0.6, np.nan, 0.7, 0.8] * 40)
    number = bca(0.65, replicates, np.array([0.6, 0.7]), confidence=0.8, evidence=5)
    assert 0.5 <= number.low < 0.65 < number.high <= 0.8


def test_ties_count_half_and_rounding_is_a_tie():
    values = np.array([0.1 + 0.2, 0.3, 0.2, 0.5])
    assert share_below(values, 0.3) == (1 + 2 * 0.5) / 4


def test_the_interval_of_a_mirrored_number_is_the_mirrored_interval():
    rng = np.random.default_rng(0)
    replicates, jackknife = rng.gamma(2, 0.1, 500) - 0.1, rng.gamma(2, 0.01, 40)
    settings = {"confidence": 0.95, "evidence": 40, "bounds": (-1, 1)}
    one, other = bca(0.1, replicates, jackknife, **settings), bca(-0.1, -replicates, -jackknife, **settings)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
