"""The paired bootstrap that champion and challenger are judged by."""

import numpy as np
import pytest

from coachworks.errors import InvalidConfigError
from components.register.comparison import compare
from components.register.config import RegisterConfig
from components.register.versions import wins

LABELS = np.array(["a", "b", "c"])


def drawn(seed, photos=200, per_set=4):
    random = np.random.default_rng(seed)
    truth = LABELS[random.integers(0, 3, photos)]
    answers = [np.where(random.random(photos) < share, truth, LABELS[0]) for share in (0.6, 0.8)]
    return truth, np.arange(photos) // per_set, *answers


def judged(truth, sets, champion, challenger, seed=0, resamples=500):
    return compare(truth, sets, champion, challenger, champion_version="1", basis="", resamples=resamples, seed=seed)


def balanced(truth, answers):
    return np.mean([np.mean(answers[truth == label] == label) for label in np.unique(truth)])


def test_the_numbers_are_those_of_a_plain_loop_over_resampled_sets():
    truth, sets, champion, challenger = drawn(0)
    found = judged(truth, sets, champion, challenger, resamples=4000)
    random = np.random.default_rng(1)
    rows = [np.flatnonzero(sets == one) for one in np.unique(sets)]
    differences = []
    for _ in range(1500):
        draw = np.concatenate([rows[one] for one in random.integers(0, len(rows), len(rows))])
        differences.append(balanced(truth[draw], challenger[draw]) - balanced(truth[draw], champion[draw]))
    assert found.champion == pytest.approx(balanced(truth, champion))
    assert found.challenger == pytest.approx(balanced(truth, challenger))
    assert [found.low, found.high] == pytest.approx(np.quantile(differences, [0.025, 0.975]), abs=0.015)
    assert found.probability_better == pytest.approx(np.mean(np.array(differences) > 0), abs=0.02)


def test_swapping_the_two_turns_the_difference_around():
    truth, sets, champion, challenger = drawn(1)
    one, other = judged(truth, sets, champion, challenger), judged(truth, sets, challenger, champion)
    assert one.difference == pytest.approx(-other.difference)
    assert (one.low, one.probability_better) == pytest.approx((-other.high, 1 - other.probability_better))


def test_the_order_of_the_photos_does_not_matter():
    parts = drawn(2)
    order = np.random.default_rng(0).permutation(len(parts[0]))
    assert judged(*parts) == judged(*(part[order] for part in parts))


def test_equal_answers_are_a_tie_and_a_tie_goes_to_the_champion():
    truth, sets, champion, _ = drawn(3)
    tie = judged(truth, sets, champion, champion)
    assert (tie.difference, tie.low, tie.high, tie.probability_better) == (0, 0, 0, 0.5)
    assert not wins(tie, RegisterConfig(min_probability_better=0.5))


def test_a_single_set_says_nothing_about_chance_but_does_not_fail():
    found = judged(["a", "b"], ["s", "s"], ["a", "a"], ["a", "b"])
    assert (found.champion, found.challenger, found.sets) == (0.5, 1.0, 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_probability_better": 0.4}, r"min_probability_better must be a float in \[0\.5, 1\]; got 0\.4"),
        ({"resamples": 10}, "resamples must be an integer of at least 100; got 10"),
        ({"seed": -1}, "seed must be an integer of at least 0; got -1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(InvalidConfigError, match=message):
        RegisterConfig(**settings)
