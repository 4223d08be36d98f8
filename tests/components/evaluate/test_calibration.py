import numpy as np
import pytest

from coachworks.models.head import softmax
from components.evaluate.calibration import reliability
from components.train.temperature import fit_temperature


def draw_logits(photos=4000, labels=4, seed=0):
    """Logits whose softmax is the true chance of each label."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(photos, labels)) * 2
    answers = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    return logits, answers


def test_calibration_lowers_the_error_of_overconfident_logits():
    logits, answers = draw_logits()
    before = reliability(softmax(logits * 4), answers, 15).expected_error
    after = reliability(softmax(logits * 4, fit_temperature(logits * 4, answers)), answers, 15).expected_error
    assert before > 0.15
    assert after < 0.03


def test_the_error_is_that_of_a_loop_over_the_bins():
    logits, answers = draw_logits(500)
    probabilities = softmax(logits * 2)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == answers
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert reliability(probabilities, answers, 15).expected_error == pytest.approx(expected, abs=1e-6)


def test_the_error_of_certain_answers_is_0_if_right_and_1_if_wrong():
    certain = np.eye(2)[[0, 1, 0]]
    assert reliability(certain, np.array([0, 1, 0]), 10).expected_error == 0
    assert reliability(certain, np.array([1, 0, 1]), 10).expected_error == 1


def test_the_error_without_photos_is_nan():
    empty = reliability(np.zeros((0, 2)), np.zeros(0, np.int64), 10)
    assert np.isnan(empty.expected_error)
    assert empty.photos.sum() == 0
