import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachworks.models.head import softmax
from coachworks.scores import log_loss
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
