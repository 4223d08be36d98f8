import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachworks.models.head import softmax
from coachworks.scores import log_loss
from components.train.temperature import fit_temperature


def draw_logits(photos=4000, labels=4, seed=0):
    """Draw logits whose softmax is the true probability of each label."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(photos, labels)) * 2
    answers = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    return logits, answers


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_the_applied_temperature_is_recovered(temperature):
    logits, answers = draw_logits()
    assert fit_temperature(logits * temperature, answers) == pytest.approx(temperature, rel=0.1)


def test_no_temperature_on_a_grid_has_a_smaller_log_loss():
    logits, answers = draw_logits(seed=1)
    logits = logits * 3
    grid = np.geomspace(1, 10, 400)  # steps of 0.6 %
    best = grid[np.argmin([log_loss(softmax(logits, temperature), answers) for temperature in grid])]
    assert fit_temperature(logits, answers) == pytest.approx(best, rel=0.01)


def test_at_the_temperature_the_expected_logit_is_that_of_the_true_labels():
    """The derivative of the log loss vanishes, the additional photo included."""
    logits, answers = draw_logits(photos=50, seed=2)
    probabilities = softmax(logits, fit_temperature(logits, answers)).astype(np.float64)
    expected = (probabilities * logits).sum() * (1 + 1 / len(logits))
    assert expected == pytest.approx(logits[np.arange(50), answers].sum() + logits.mean(), abs=1e-2)


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


def test_the_log_loss_is_flat_at_the_temperature_to_the_last_digits():
    """A looser fit would turn rounding differences between two machines into other temperatures."""
    logits, answers = draw_logits(photos=200)
    shifted = logits - logits.max(1, keepdims=True)
    expected = (softmax(logits / fit_temperature(logits, answers)) * shifted).sum() * (1 + 1 / len(answers))
    assert expected == pytest.approx(shifted[np.arange(200), answers].sum() + shifted.mean(), rel=1e-9)
