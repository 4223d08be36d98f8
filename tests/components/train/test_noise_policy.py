"""Losses that stand wrong labels: when they are tried, and when they replace a winner."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression

from coachworks.models.head import softmax
from coachworks.scores import tally
from components.train.competition import compete
from components.train.config import TrainConfig
from components.train.noise_fits import on_shares
from components.train.noise_policy import FORWARD, GENERALISED, LEAST, SHARES, gain_of, stand_noise
from components.train.refit import refit
from components.train.vote_shares import vote_shares


@pytest.fixture(scope="session", name="train_noisily")
def _train_noisily(draw_points, make_lane):
    """A function that trains `linear` on labels of which some were replaced, and lets losses stand them."""

    def train(share, photos=900, labels=3, kinds=("linear",), spread=1.5):
        points, answers = draw_points(photos, 12, labels, spread=spread)
        rng = np.random.default_rng(3)
        noisy = np.where(rng.random(answers.shape) < share, (answers + 1) % labels, answers)
        lane, reduction = make_lane(points, noisy, {"skill": tuple("abcdef"[:labels])})
        outcomes = compete(lane, reduction, {"skill": kinds}, TrainConfig())
        joined = lane.joined()
        refits = refit(lane, joined, reduction, outcomes, TrainConfig())
        before = (outcomes["skill"], refits["skill"])
        policies = stand_noise(joined, len(lane.train), reduction, outcomes, refits)
        return points, answers[:, 0], before, (outcomes["skill"], refits["skill"]), policies

    return train


def accuracy(refit, points, answers):
    arrays = refit.candidate.arrays
    predicted = (points @ arrays["weight"].T + arrays["bias"]).argmax(1)
    return tally(answers, predicted, len(arrays["bias"])).balanced_accuracy


def test_where_many_labels_are_wrong_a_better_loss_replaces_the_winner(train_noisily):
    points, answers, (outcome, plain), (chosen, again), policies = train_noisily(0.35)
    policy = policies["skill"]
    assert plain.noise.level.low > LEAST
    assert policy.loss in (GENERALISED, FORWARD)
    assert set(policy.tried) == {"linear", GENERALISED, FORWARD}
    assert again.candidate.parameters["loss"] == policy.loss
    assert again.candidate.parameters["penalty"] == outcome.entries["linear"].candidate.parameters["penalty"]
    assert accuracy(again, points, answers) > accuracy(plain, points, answers)
    assert chosen.why.startswith(outcome.why)
    assert "of the labels are estimated to be wrong" in policy.why
    assert f"so linear was fitted with the loss {policy.loss}: " in policy.why
    assert again.calibration.photos == plain.calibration.photos
    assert_array_equal(again.out_of_fold.rows, plain.out_of_fold.rows)


def test_the_choice_is_the_same_again(train_noisily):
    (*_, (_, first), _), (*_, (_, second), _) = train_noisily(0.35), train_noisily(0.35)
    for name, array in first.candidate.arrays.items():
        assert_array_equal(array, second.candidate.arrays[name])


def test_where_few_labels_are_wrong_nothing_is_tried(train_noisily):
    _, _, before, after, policies = train_noisily(0.0)
    assert policies == {}
    assert after == before  # the very objects


def test_a_skill_without_the_candidate_linear_is_left_as_it_is(train_noisily):
    _, _, before, after, policies = train_noisily(0.35, kinds=("knn",))
    assert before[1].noise.level.low > LEAST
    assert (policies, after) == ({}, before)


def test_a_loss_that_is_no_better_by_a_standard_error_is_not_taken(train_noisily):
    """Labels that nobody could tell apart look wrong, and no loss helps."""
    _, _, before, after, policies = train_noisily(0.0, spread=30, labels=2)
    assert before[1].noise.level.low > LEAST
    assert policies["skill"].loss == ""
    assert "but no loss that stands them is better by a standard error" in policies["skill"].why
    assert after == before


def test_the_gain_and_its_error_are_those_of_a_bootstrap_of_sets():
    rng = np.random.default_rng(0)
    answers = rng.choice(3, 900, p=[0.6, 0.3, 0.1])
    sets = rng.integers(0, 300, 900)
    before, after = (np.where(rng.random(900) < share, answers, (answers + 1) % 3) for share in (0.7, 0.75))
    gain, error = gain_of(before, after, answers, sets)

    def measured(rows):
        accuracies = [tally(answers[rows], part[rows], 3).balanced_accuracy for part in (before, after)]
        return accuracies[1] - accuracies[0]

    assert gain == pytest.approx(measured(np.arange(900)))
    rows_of = [np.flatnonzero(sets == name) for name in range(300)]
    gains = [measured(np.concatenate([rows_of[name] for name in rng.integers(0, 300, 300)])) for _ in range(600)]
    assert error == pytest.approx(np.std(gains), rel=0.15)


def test_the_gain_of_equal_answers_is_nothing():
    answers = np.array([0, 0, 1, 2])
    assert_allclose(gain_of(answers, answers, answers, np.arange(4)), 0)


def votes_on(answers, noise, people, seed=5):
    """Votes of people who are each wrong on a share of the photos: label indices, shape (N, people)."""
    rng = np.random.default_rng(seed)
    wrong = rng.random((len(answers), people)) < noise
    return np.where(wrong, rng.integers(0, answers.max() + 1, wrong.shape), answers[:, None])


def test_votes_become_shares_of_each_photo():
    rows = [
        ("a", "skill", "x"),
        ("a", "skill", "y"),
        ("a", "skill", "x"),
        ("b", "skill", "y"),
        ("b", "skill", "unsure"),
    ]
    rows += [("c", "other", "x"), ("z", "skill", "x")]
    votes = pd.DataFrame(rows, columns=["photo_id", "skill", "label"])
    assert_allclose(vote_shares(votes, ["a", "b", "c"], "skill", ("x", "y")), [[2 / 3, 1 / 3], [0, 1], [0, 0]])
    assert vote_shares(votes, ["b", "c"], "skill", ("x", "y")) is None  # nobody contradicts anybody
    assert vote_shares(votes[:0], ["a"], "skill", ("x", "y")) is None


def test_a_fit_on_shares_is_that_of_a_logistic_regression_on_each_vote(draw_points, make_lane):
    points, answers = draw_points(300, 6, 3, spread=2)
    votes = votes_on(answers[:, 0], 0.4, 5)
    shares = (votes[:, :, None] == np.arange(3)).mean(1)
    lane, reduction = make_lane(points, shares.argmax(1)[:, None], {"skill": ("a", "b", "c")}, class_weights="none")
    part = shares[: len(lane.train)]
    [head] = on_shares(part, reduction)(lane, {"skill": {"penalty": 0.03}}).values()
    reference = LogisticRegression(C=1 / 0.03, tol=1e-10, max_iter=2000)
    rows, labels = np.repeat(np.arange(len(part)), 3), np.tile(np.arange(3), len(part))
    reference.fit(lane.train[rows], labels, sample_weight=part.reshape(-1) / len(part))
    assert_allclose(softmax(head.logits), reference.predict_proba(lane.validation), atol=0.01)


def test_shares_of_votes_are_tried_where_they_differ(draw_points, make_lane):
    points, answers = draw_points(900, 12, 3, spread=1.5)
    votes = votes_on(answers[:, 0], 0.6, 3)
    shares = (votes[:, :, None] == np.arange(3)).mean(1)
    lane, reduction = make_lane(points, shares.argmax(1)[:, None], {"skill": ("a", "b", "c")})
    outcomes = compete(lane, reduction, {"skill": ("linear",)}, TrainConfig())
    refits = refit(lane, lane.joined(), reduction, outcomes, TrainConfig())
    arguments = (lane.joined(), len(lane.train), reduction, outcomes, refits)
    policies = stand_noise(*arguments, shares=lambda skill: shares)
    assert SHARES in policies["skill"].tried
    assert policies["skill"].tried[SHARES] > 0.4
