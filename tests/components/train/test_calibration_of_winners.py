import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from coachworks.models import head
from coachworks.models.head import softmax
from coachworks.scores import log_loss
from components.train import neighbours
from components.train.calibration import calibrate, fit_vector, representative
from components.train.config import TrainConfig
from components.train.lane import UNLABELLED
from components.train.out_of_fold import ALWAYS, FOLDS, fold_of_photos
from components.train.temperature import fit_temperature


def draw_logits(photos=2000, labels=4, seed=0):
    """Draw logits whose softmax is the true probability of each label."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(photos, labels)) * 2
    return logits, (logits + rng.gumbel(size=logits.shape)).argmax(1)


def calibrated(logits, answers, kind="linear"):
    photos = np.arange(len(answers))
    return calibrate(kind, logits, answers, photos, photos % FOLDS)


def test_one_common_distortion_is_left_to_the_temperature():
    logits, answers = draw_logits()
    calibration = calibrated(logits * 3, answers)
    assert (calibration.method, calibration.scale) == ("temperature", None)
    assert calibration.temperature == fit_temperature(logits * 3, answers)
    assert calibration.log_loss["temperature"] < calibration.log_loss["none"]
    assert calibration.why.startswith("temperature, from 2000 out-of-fold answers: log loss ")
    assert calibration.why.endswith("does not justify it")


def test_labels_with_distortions_of_their_own_get_factors_of_their_own():
    logits, answers = draw_logits()
    factors, shifts = np.array([0.3, 1, 3, 1]), np.array([0, 2.0, 0, -1])
    distorted = logits / factors - shifts
    calibration = calibrated(distorted, answers)
    assert calibration.method == "vector"
    assert calibration.why.startswith("vector scaling, from 2000 out-of-fold answers")
    assert calibration.log_loss["vector"] + calibration.standard_error < calibration.log_loss["temperature"]
    corrected = softmax(distorted * calibration.scale + calibration.shift, calibration.temperature)
    assert log_loss(corrected, answers) == pytest.approx(log_loss(softmax(logits), answers), abs=0.01)


def test_a_head_without_a_last_layer_keeps_the_temperature():
    logits, answers = draw_logits()
    calibration = calibrated(logits / np.array([0.3, 1, 3, 1]), answers, "knn")
    assert calibration.method == "temperature"
    assert set(calibration.log_loss) == {"none", "temperature"}


def test_labels_with_few_photos_are_not_given_factors_of_their_own():
    logits, answers = draw_logits()
    rare = np.flatnonzero(answers == 3)[49:]
    logits, answers = np.delete(logits, rare, axis=0), np.delete(answers, rare)
    assert set(calibrated(logits / np.array([0.3, 1, 3, 1]), answers).log_loss) == {"none", "temperature"}


def test_vector_scaling_that_costs_rare_labels_their_answers_is_refused():
    """The log loss of all photos would have the rare label answered never."""
    rng = np.random.default_rng(3)
    answers = (rng.random(3000) < 0.04).astype(np.int64)
    margin = rng.normal(size=3000) + 1.5 * answers  # of a head that weighs both labels alike
    logits = np.stack([-margin, margin - 1.5], axis=1)
    calibration = calibrated(logits, answers)
    assert calibration.log_loss["vector"] + calibration.standard_error < calibration.log_loss["temperature"]
    assert calibration.method == "temperature"
    assert calibration.why.endswith("that would lower the balanced accuracy")


def test_scale_and_shift_are_multiplied_into_the_last_layer():
    logits, answers = draw_logits()
    calibration = calibrated(logits / np.array([0.3, 1, 3, 1]), answers)
    arrays = {"weight": np.eye(4, dtype=np.float32), "bias": np.full(4, 0.5, np.float32)}
    folded = calibration.arrays(arrays)
    assert folded["weight"].dtype == folded["bias"].dtype == np.float32
    expected = (logits + 0.5) * calibration.scale + calibration.shift
    assert_allclose(logits @ folded["weight"].T + folded["bias"], expected, rtol=1e-5, atol=1e-5)


def test_vector_scaling_is_that_of_a_logistic_regression():
    """With two labels and free factors it is one on the two logits; the prior hardly counts on so many photos."""
    from sklearn.linear_model import LogisticRegression

    logits, answers = draw_logits(photos=4000, labels=2)
    scale, shift = fit_vector(logits, answers)
    reference = LogisticRegression(C=1e6, tol=1e-10).fit(logits, answers)
    assert_allclose(softmax(logits * scale + shift)[:, 1], reference.predict_proba(logits)[:, 1], atol=0.005)


def test_all_answers_count_where_validation_photos_are_like_training_photos():
    logits, answers = draw_logits()
    photos = np.arange(2000)
    assert representative(logits, answers, photos, photos >= 1600).all()
    assert representative(logits, answers, photos, photos < 0).all()


def test_validation_photos_count_alone_where_their_answers_are_worse():
    logits, answers = draw_logits()
    photos = np.arange(2000)
    validation = photos >= 1600
    answers[photos >= 1800] = 0  # half of them are wrong
    assert_array_equal(representative(logits, answers, photos, validation), validation)
    # in two sets, one right and one wrong, they are two observations: that may be chance
    assert representative(logits, answers, np.where(validation, photos // 200 + 2000, photos), validation).all()


def test_without_answers_nothing_is_corrected():
    calibration = calibrated(np.zeros((0, 3)), np.zeros(0, np.int64))
    assert (calibration.method, calibration.temperature) == ("none", 1)
    assert calibration.why == "no photo could be held out: every label has photos of one set only"


@given(st.integers(0, 60), st.integers(1, 5), st.integers(1, 12), st.integers(0, 1000))
def test_a_fold_can_be_left_out_without_losing_a_label_or_parting_a_set(photos, labels, sets, seed):
    rng = np.random.default_rng(seed)
    answers = rng.integers(UNLABELLED, labels, photos)
    owner = rng.integers(0, sets, photos)
    folds = fold_of_photos(answers, owner)
    known = answers != UNLABELLED
    assert set(folds[~known]) <= {ALWAYS}
    for name in owner[known]:
        assert len(set(folds[known & (owner == name)])) == 1
    for fold in range(FOLDS):
        assert set(answers[known & (folds != fold)]) == set(answers[known])


def test_folds_have_equal_shares_of_each_label_where_sets_have_one_photo():
    answers = np.repeat([0, 1, 2], [50, 20, 5])
    folds = fold_of_photos(answers, np.arange(75))
    for label, share in ((0, 10), (1, 4), (2, 1)):
        assert_array_equal(np.bincount(folds[answers == label], minlength=FOLDS), share)


def test_nearest_neighbours_answer_in_blocks_as_at_once(lane_and_reduction, monkeypatch):
    lane, reduction = lane_and_reduction
    at_once = neighbours.fit(lane, reduction, TrainConfig())
    monkeypatch.setattr(head, "_SIMILARITIES", 7 * len(lane.train))
    for skill, candidate in neighbours.fit(lane, reduction, TrainConfig()).items():
        assert_allclose(candidate.logits, at_once[skill].logits, atol=1e-6)
