"""Suspicious labels, noise levels and transition matrices, from answers whose truth is known."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from coachworks.models.head import softmax
from components.train.calibration import Calibration
from components.train.label_noise import confident_joint, confident_labels, judge_labels
from components.train.out_of_fold import OutOfFold

PLAIN = Calibration(temperature=1.0, log_loss={}, why="")


def draw(photos=4000, labels=4, noise=0.2, seed=0, sharpness=4.0):
    """Logits of a calibrated head, true labels, and labels of which a share `noise` was replaced by the next one."""
    rng = np.random.default_rng(seed)
    logits = (rng.normal(size=(photos, labels)) * sharpness).astype(np.float32)
    true = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    wrong = rng.random(photos) < noise
    return logits, true, np.where(wrong, (true + 1) % labels, true)


def judged(logits, labels, sets=None, calibration=PLAIN):
    rows = np.arange(len(labels))
    return judge_labels(OutOfFold(None, logits, rows, rows % 5), calibration, labels, rows if sets is None else sets)


@pytest.mark.parametrize(("photos", "labels"), [(3000, 2), (3000, 5), (500, 40)])
def test_confident_learning_agrees_with_cleanlab(photos, labels):
    count = pytest.importorskip("cleanlab.count", reason="cleanlab is not installed: `pip install cleanlab==2.9.0`")
    issues = pytest.importorskip("cleanlab.filter", reason="cleanlab is not installed")
    logits, _, labelled = draw(photos, labels, seed=photos + labels)
    labelled[:labels] = np.arange(labels)
    probabilities = softmax(logits)
    confident = confident_labels(labelled, probabilities)
    counts = count.compute_confident_joint(labelled, probabilities, calibrate=False)
    known = confident >= 0
    ours = np.zeros((labels, labels), int)
    np.add.at(ours, (labelled[known], confident[known]), 1)
    np.fill_diagonal(ours, ours.diagonal().clip(min=1))
    assert_array_equal(ours, counts)
    joint = count.estimate_joint(labelled, probabilities, confident_joint=counts)
    assert_allclose(confident_joint(labelled, confident, labels) / photos, joint, atol=1 / photos)  # theirs is rounded
    listed = issues.find_label_issues(
        labelled, probabilities, filter_by="confident_learning", return_indices_ranked_by="normalized_margin", n_jobs=1
    )
    rows = judged(logits, labelled).rows
    assert set(rows) == set(listed)
    margin = probabilities[np.arange(photos), labelled] - probabilities.max(1)
    assert_allclose(margin[rows], margin[listed], atol=1e-6)  # the same order but for ties


def test_wrong_labels_come_first_with_the_true_label_proposed():
    logits, true, labelled = draw()
    noise = judged(logits, labelled)
    wrong = labelled != true
    assert wrong[noise.rows[:200]].mean() > 0.9
    assert wrong[noise.rows].sum() > 0.6 * wrong.sum()
    assert_array_equal(noise.labelled, labelled[noise.rows])
    right = wrong[noise.rows]
    assert (noise.proposed[right] == true[noise.rows[right]]).mean() > 0.9
    assert (noise.probabilities[:, 0] < noise.probabilities[:, 1]).all()


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.2, 0.4])
def test_the_level_of_noise_is_found(noise):
    logits, true, labelled = draw(noise=noise, sharpness=12)
    level = judged(logits, labelled).level
    assert level.value == pytest.approx((labelled != true).mean(), abs=0.03)
    assert level.low <= level.value <= level.high
    assert level.high - level.low < 0.05


def test_the_transition_matrix_says_which_label_is_given_for_which():
    logits, _, labelled = draw(noise=0.3, sharpness=12)
    noise = judged(logits, labelled)
    expected = 0.7 * np.eye(4) + 0.3 * np.roll(np.eye(4), 1, axis=1)
    assert_allclose(noise.transition, expected, atol=0.05)
    assert_allclose(noise.transition.sum(1), 1)
    assert noise.joint.sum() == pytest.approx(len(labelled))


def test_the_interval_is_that_of_a_bootstrap_of_sets():
    logits, _, labelled = draw(photos=1200, noise=0.15)
    sets = np.random.default_rng(1).integers(0, 300, 1200)
    confident = confident_labels(labelled, softmax(logits))
    rng, levels = np.random.default_rng(2), []
    photos_of = [np.flatnonzero(sets == name) for name in range(300)]
    for _ in range(800):
        drawn = np.concatenate([photos_of[name] for name in rng.integers(0, 300, 300)])
        levels.append(1 - confident_joint(labelled[drawn], confident[drawn], 4).trace() / len(drawn))
    level = judged(logits, labelled, sets).level
    assert_allclose([level.low, level.high], np.quantile(levels, [0.025, 0.975]), atol=0.006)


def test_photos_of_one_set_are_one_observation():
    logits, _, labelled = draw(photos=600, noise=0.2)
    apart, together = judged(logits, labelled).level, judged(logits, labelled, np.arange(600) // 12).level
    assert apart.value == together.value
    copies = np.repeat(np.arange(600), 3)
    tripled = judged(logits[copies], labelled[copies], copies).level
    assert_allclose([tripled.value, tripled.low, tripled.high], [apart.value, apart.low, apart.high], atol=0.001)


def test_labels_that_are_all_right_are_not_claimed_to_be_so_with_certainty():
    labelled = np.arange(60) % 3
    noise = judged(np.eye(3, dtype=np.float32)[labelled] * 20, labelled)
    assert (len(noise.rows), noise.level.value, noise.level.low) == (0, 0, 0)
    assert noise.level.high == pytest.approx(1 - 0.025 ** (1 / 60))  # the exact binomial bound


def test_answers_are_corrected_before_they_are_judged():
    logits, _, labelled = draw()
    factors, shifts = np.array([0.5, 1, 2, 1]), np.array([0, 1.0, 0, -1])
    corrected = judged(logits, labelled)
    vector = Calibration(temperature=1.0, scale=1 / factors, shift=shifts / factors, log_loss={}, why="")
    again = judged(logits * factors - shifts, labelled, calibration=vector)
    assert_array_equal(again.rows, corrected.rows)
    temperature = Calibration(temperature=3.0, log_loss={}, why="")
    assert_array_equal(judged(logits * 3, labelled, calibration=temperature).rows, corrected.rows)


def test_without_answers_nothing_is_known():
    noise = judged(np.zeros((0, 3), np.float32), np.zeros(0, np.int64))
    assert np.isnan([noise.level.value, noise.level.low, noise.level.high]).all()
    assert (noise.photos, len(noise.rows)) == (0, 0)
    assert_array_equal(noise.transition, np.eye(3))


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(2, 6), st.integers(0, 10_000))
def test_whatever_the_answers_are_the_estimate_is_one(photos, labels, seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(photos, labels)) * rng.choice([0, 1, 50])
    labelled = rng.integers(0, rng.integers(1, labels + 1), photos)  # perhaps labels without a photo
    noise = judged(logits.astype(np.float32), labelled, rng.integers(0, photos, photos))
    assert 0 <= noise.level.low <= noise.level.value <= noise.level.high <= 1
    assert_allclose(noise.joint.sum(1), np.bincount(labelled, minlength=labels))
    assert_allclose(noise.transition.sum(1), 1)
    assert (noise.labelled != noise.proposed).all()
    assert (noise.transition >= 0).all()


def test_a_label_with_one_photo_is_no_obstacle():
    logits, _, labelled = draw(photos=200, labels=3)
    labelled[labelled == 2] = 0
    labelled[0] = 2
    noise = judged(logits, labelled)
    assert noise.joint.sum(1)[2] == 1
    assert np.isfinite(noise.transition).all()
    assert 0 <= noise.level.low <= noise.level.high <= 1


def test_100_000_photos_of_20_labels_are_judged_in_seconds():
    logits, _, labelled = draw(photos=100_000, labels=20)
    started = time.process_time()
    noise = judged(logits, labelled)
    assert time.process_time() - started < 10
    assert noise.photos == 100_000
