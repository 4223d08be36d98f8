import numpy as np
import pytest
from numpy.testing import assert_allclose

from coachworks.scores import log_loss, tally


def test_metrics_are_those_of_scikit_learn():
    from sklearn import metrics

    rng = np.random.default_rng(0)
    answers = rng.choice(4, 300, p=[0.5, 0.3, 0.15, 0.05])
    predicted = np.where(rng.random(300) < 0.75, answers, rng.integers(0, 4, 300))
    ours = tally(answers, predicted, 4)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(answers, predicted)
    assert_allclose(ours.precision, precision)
    assert_allclose(ours.recall, recall)
    assert_allclose(ours.f1, f1)
    assert_allclose(ours.true, support)
    assert float(ours.balanced_accuracy) == pytest.approx(metrics.balanced_accuracy_score(answers, predicted))
    assert float(ours.macro_f1) == pytest.approx(metrics.f1_score(answers, predicted, average="macro"))
    assert float(ours.accuracy) == pytest.approx(metrics.accuracy_score(answers, predicted))


def test_log_loss_is_that_of_scikit_learn():
    from sklearn import metrics

    rng = np.random.default_rng(0)
    probabilities, answers = rng.dirichlet(np.ones(3), 100), rng.integers(0, 3, 100)
    assert log_loss(probabilities, answers) == pytest.approx(metrics.log_loss(answers, probabilities))
