import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluate.calibration import reliability
from components.train.heads import softmax
from components.train.scores import log_loss
from components.train.temperature import fit_temperature


def draw_logits(photos=4000, labels=4, seed=0):
    """Logits whose softmax is the true chance of each label."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(photos, labels)) * 2
    answers = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    return logits, answers


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_the_temperature_that_was_applied_is_found(temperature):
    logits, answers = draw_logits()
    assert fit_temperature(logits * temperature, answers) == pytest.approx(temperature, rel=0.1)


def test_the_temperature_is_the_one_a_general_optimiser_finds():
    from scipy.optimize import minimize_scalar

    logits, answers = draw_logits(seed=1)
    logits = logits * 3
    reference = minimize_scalar(
        lambda log: log_loss(softmax(logits, np.exp(log)), answers), bounds=(-3, 3), method="bounded"
    )
    assert fit_temperature(logits, answers) == pytest.approx(np.exp(reference.x), rel=0.01)


def test_calibration_lowers_the_error_of_overconfident_logits():
    logits, answers = draw_logits()
    before = reliability(softmax(logits * 4), answers, 15).expected_error
    after = reliability(softmax(logits * 4, fit_temperature(logits * 4, answers)), answers, 15).expected_error
    assert before > 0.15
    assert after < 0.03


@pytest.mark.parametrize("photos", [1, 2, 30])
def test_the_temperature_stays_finite_where_all_answers_are_right(photos):
    logits = np.eye(3)[np.arange(photos) % 3] * 5
    temperature = fit_temperature(logits, logits.argmax(1))
    probabilities = softmax(logits, temperature)
    assert 0 < temperature < 100
    assert probabilities.max() < 1


def test_without_photos_the_temperature_is_one():
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, np.int64)) == 1


@given(st.integers(1, 40), st.integers(2, 5), st.integers(0, 1000))
def test_any_logits_give_a_usable_temperature(photos, labels, seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(photos, labels)) * 10.0 ** rng.integers(-4, 5)
    temperature = fit_temperature(logits, rng.integers(0, labels, photos))
    assert np.isfinite(temperature)
    assert temperature > 0
    assert np.isfinite(softmax(logits, temperature)).all()


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


def test_certain_and_right_is_no_error_and_certain_and_wrong_is_all():
    certain = np.eye(2)[[0, 1, 0]]
    assert reliability(certain, np.array([0, 1, 0]), 10).expected_error == 0
    assert reliability(certain, np.array([1, 0, 1]), 10).expected_error == 1


def test_no_photos_have_no_error():
    empty = reliability(np.zeros((0, 2)), np.zeros(0, np.int64), 10)
    assert np.isnan(empty.expected_error)
    assert empty.photos.sum() == 0
