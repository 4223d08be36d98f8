"""The paired bootstrap that champion and challenger are judged by."""

import numpy as np
import pytest

from coachworks.errors import InvalidConfigError
from components.register.comparison import AnsweredPhotos, compare
from components.register.config import RegisterConfig
from components.register.versions import wins

LABELS = np.array(["a", "b", "c"])


def drawn(seed, photos=200, per_set=4, shares=(0.6, 0.8)):
    random = np.random.default_rng(seed)
    truth = LABELS[random.integers(0, 3, photos)]
    answers = [np.where(random.random(photos) < share, truth, LABELS[0]) for share in shares]
    return truth, np.arange(photos) // per_set, *answers


def compared(truth, sets, champion, challenger, seed=0, replicates=500):
    photos = AnsweredPhotos(labels=truth, sets=sets, champion=champion, challenger=challenger)
    return compare(photos, champion_version="1", basis="", replicates=replicates, seed=seed)


def balanced(truth, answers):
    return np.mean([np.mean(answers[truth == label] == label) for label in np.unique(truth)])


def test_the_interval_is_the_bca_interval_of_scipy_over_the_same_sets():
    from scipy.stats import bootstrap

    truth, sets, champion, challenger = drawn(0)
    rows = [np.flatnonzero(sets == one) for one in np.unique(sets)]
    differences = []

    def difference(indices):
        photos = np.concatenate([rows[int(one)] for one in indices])
        differences.append(balanced(truth[photos], challenger[photos]) - balanced(truth[photos], champion[photos]))
        return differences[-1]

    settings = {"n_resamples": 2000, "method": "BCa", "vectorized": False, "rng": np.random.default_rng(1)}
    reference = bootstrap((np.arange(len(rows)),), difference, **settings).confidence_interval
    result = compared(truth, sets, champion, challenger, replicates=4000)
    assert result.champion == pytest.approx(balanced(truth, champion))
    assert result.challenger == pytest.approx(balanced(truth, challenger))
    assert [result.low, result.high] == pytest.approx([reference.low, reference.high], abs=0.012)
    assert result.probability_better == pytest.approx(np.mean(np.array(differences) > 0), abs=0.02)


def test_a_lead_within_chance_has_the_probability_of_a_plain_loop():
    truth, sets, champion, challenger = drawn(4, shares=(0.7, 0.73))
    rows = [np.flatnonzero(sets == one) for one in np.unique(sets)]
    random, better = np.random.default_rng(1), []
    for _ in range(2000):
        photos = np.concatenate([rows[one] for one in random.integers(0, len(rows), len(rows))])
        lead = balanced(truth[photos], challenger[photos]) - balanced(truth[photos], champion[photos])
        better.append(0.5 if abs(lead) < 1e-12 else lead > 0)
    expected = np.mean(better)
    assert 0.05 < expected < 0.99
    probability = compared(truth, sets, champion, challenger, replicates=4000).probability_better
    assert probability == pytest.approx(expected, abs=0.03)


def test_swapping_the_two_reverses_the_sign_of_the_difference():
    truth, sets, champion, challenger = drawn(1)
    one, other = compared(truth, sets, champion, challenger), compared(truth, sets, challenger, champion)
    assert one.difference == pytest.approx(-other.difference)
    assert (one.low, one.probability_better) == pytest.approx((-other.high, 1 - other.probability_better))


def test_the_order_of_the_photos_does_not_matter():
    parts = drawn(2)
    order = np.random.default_rng(0).permutation(len(parts[0]))
    assert compared(*parts) == compared(*(part[order] for part in parts))


def test_equal_answers_are_a_tie_and_a_tie_goes_to_the_champion():
    truth, sets, champion, _ = drawn(3)
    tie = compared(truth, sets, champion, champion)
    assert (tie.difference, tie.probability_better) == (0, 0.5)
    # equal answers in 50 sets: by Clopper and Pearson at most this share of all sets is answered differently
    assert (tie.low, tie.high) == pytest.approx((0.025 ** (1 / 50) - 1, 1 - 0.025 ** (1 / 50)))
    assert not wins(tie, RegisterConfig(min_probability_better=0.5))


def test_a_single_set_leaves_nearly_everything_possible():
    result = compared(["a", "b"], ["s", "s"], ["a", "a"], ["a", "b"])
    assert (result.champion, result.challenger, result.sets) == (0.5, 1.0, 1)
    assert result.low < -0.9
    assert result.high > 0.95


def test_a_champion_may_answer_with_labels_that_no_longer_exist():
    result = compared(["a", "b", "a"], ["1", "2", "3"], ["old", "b", "a"], ["a", "b", "b"])
    assert (result.champion, result.challenger) == (0.75, 0.75)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_probability_better": 0.4}, r"min_probability_better must be a float in \[0\.5, 1\]; got 0\.4"),
        ({"replicates": 10}, "replicates must be an integer of at least 100; got 10"),
        ({"seed": -1}, "seed must be an integer of at least 0; got -1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(InvalidConfigError, match=message):
        RegisterConfig(**settings)
