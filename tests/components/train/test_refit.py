from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from coachworks.models.head import Head, softmax
from components.train.calibration import calibrate, representative
from components.train.competition import compete, fitter
from components.train.config import TrainConfig
from components.train.lane import UNLABELLED
from components.train.out_of_fold import fold_of_photos
from components.train.refit import refit
from components.train.selection import COMPLEXITY

KINDS = COMPLEXITY[:-1]  # a fine-tuned winner is not fitted again
LABELS = {"three": ("a", "b", "c"), "five": tuple("vwxyz"), "two": ("no", "yes")}


@pytest.fixture(scope="module")
def lane_with_views(draw_points, make_lane):
    """A lane with two augmented views, a fifth of its answers missing."""
    points, answers = draw_points(320, 12, 3, 5, 2, spread=2.0, seed=4)
    rng = np.random.default_rng(6)
    answers[rng.random(answers.shape) < 0.2] = UNLABELLED
    views = [(points + rng.normal(size=points.shape) * 0.3).astype(np.float32) for _ in range(2)]
    return make_lane(points, answers, LABELS, views=views)


@pytest.fixture(scope="module")
def chosen(lane_with_views):
    """For every kind the outcomes of the skills, and their refits."""
    lane, reduction = lane_with_views
    pairs = {}
    for kind in KINDS:
        outcomes = compete(lane, reduction, {skill: [kind] for skill in lane.skills}, TrainConfig())
        pairs[kind] = outcomes, refit(lane, lane.joined(), reduction, outcomes, TrainConfig())
    return pairs


def head_of(kind, skill, candidate):
    return Head(
        kind=kind,
        labels=LABELS[skill],
        arrays=candidate.arrays,
        backbone_digest="",
        parameters=candidate.parameters,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_refitted_head_is_another_with_the_settings_that_validation_picked(chosen, kind):
    outcomes, refits = chosen[kind]
    for skill in LABELS:
        before, after = outcomes[skill].entries[kind].candidate, refits[skill].candidate
        fitted = {"iterations", "converged", "landmarks"}
        assert {n: v for n, v in after.parameters.items() if n not in fitted} == {
            n: v for n, v in before.parameters.items() if n not in fitted
        }
        assert any(not np.array_equal(array, before.arrays[name]) for name, array in after.arrays.items())
        assert head_of(kind, skill, after).kind == kind


# the random numbers of mlp depend on the skills beside it
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mlp"])
def test_a_skill_is_refitted_as_if_it_were_alone(lane_with_views, chosen, kind):
    lane, reduction = lane_with_views
    outcomes, refits = chosen[kind]
    parameters = outcomes["five"].entries[kind].candidate.parameters
    alone = fitter(kind)(lane.joined().subset(["five"]), reduction, TrainConfig(), {"five": parameters})["five"]
    one, other = (head_of(kind, "five", candidate) for candidate in (alone, refits["five"].out_of_fold.candidate))
    raw = lane.validation @ np.linalg.pinv(reduction.projection) + reduction.offset
    assert_allclose(one.probabilities(raw), other.probabilities(raw), atol=0.01)


def test_the_refitted_linear_head_is_that_of_scikit_learn_on_training_and_validation_photos(lane_with_views, chosen):
    from sklearn.linear_model import LogisticRegression

    lane, reduction = lane_with_views
    outcomes, refits = chosen["linear"]
    # three tables: the clean photos and two views; a validation photo's one row counts as much as three of them
    points = np.concatenate([lane.train, *lane.views, lane.validation])
    for column, skill in enumerate(lane.skills):
        answers = np.concatenate([*[lane.answers[:, column]] * 3, lane.validation_answers[:, column]])
        rows = np.repeat([1.0, 3.0], [3 * len(lane.train), len(lane.validation)])
        known = answers != UNLABELLED
        counts = np.bincount(answers[known], weights=rows[known])
        weights = rows[known] / (len(counts) * counts[answers[known]])
        penalty = outcomes[skill].entries["linear"].candidate.parameters["penalty"]
        # with two labels scikit-learn fits one row instead of two opposite ones, at half the penalty
        reference = LogisticRegression(C=(2 if len(counts) == 2 else 1) / penalty, tol=1e-10, max_iter=5000)
        reference.fit(points[known], answers[known], sample_weight=weights)
        raw = lane.validation @ np.linalg.pinv(reduction.projection) + reduction.offset
        ours = head_of("linear", skill, refits[skill].out_of_fold.candidate).probabilities(raw)
        assert_allclose(ours, reference.predict_proba(lane.validation), atol=0.005)


@pytest.mark.parametrize("kind", KINDS)
def test_the_calibration_is_that_of_the_answers_of_heads_that_had_not_seen_the_photos(lane_with_views, chosen, kind):
    lane, _ = lane_with_views
    joined = lane.joined()
    for column, skill in enumerate(lane.skills):
        refitted = chosen[kind][1][skill]
        answered, rows = refitted.out_of_fold, refitted.out_of_fold.rows
        answers = joined.answers[rows, column]
        assert (answers != UNLABELLED).all()
        assert len(rows) == refitted.photos  # every set has one photo, and every label several
        assert_array_equal(answered.folds, fold_of_photos(joined.answers[:, column], joined.train_sets)[rows])
        kept = representative(answered.logits, answers, joined.train_sets[rows], rows >= len(lane.train))
        sets = joined.train_sets[rows]
        again = calibrate(kind, answered.logits[kept], answers[kept], sets[kept], answered.folds[kept])
        assert refitted.calibration.temperature == again.temperature
        assert refitted.calibration.photos == kept.sum()


# knn's logits are logarithms of shares, so an unseen photo changes them by steps
@pytest.mark.parametrize("kind", ["linear", "svm"])
def test_the_answers_of_a_fold_are_those_of_a_head_fitted_without_it(lane_with_views, chosen, kind):
    lane, reduction = lane_with_views
    joined, outcomes = lane.joined().subset(["five"]), chosen[kind][0]
    answered = chosen[kind][1]["five"].out_of_fold
    held_out = answered.rows[answered.folds == 2]
    answers = joined.answers.copy()
    answers[held_out] = UNLABELLED
    parameters = outcomes["five"].entries[kind].candidate.parameters
    without = replace(joined, answers=answers, validation=joined.train[held_out])
    alone = fitter(kind)(without, reduction, TrainConfig(), {"five": parameters})["five"]
    assert_allclose(softmax(alone.logits), softmax(answered.logits[answered.folds == 2]), atol=0.01)


def test_the_photos_that_a_refit_learnt_from_are_counted(lane_with_views, chosen):
    lane, _ = lane_with_views
    for column, skill in enumerate(lane.skills):
        known = (lane.answers[:, column] != UNLABELLED).sum() + (lane.validation_answers[:, column] != UNLABELLED).sum()
        assert chosen["knn"][1][skill].photos == known
        assert len(chosen["knn"][1][skill].candidate.arrays["references"]) == known


@pytest.mark.parametrize("kind", KINDS)
def test_refitting_twice_gives_the_same_head(lane_with_views, chosen, kind):
    lane, reduction = lane_with_views
    outcomes, refits = chosen[kind]
    again = refit(lane, lane.joined(), reduction, outcomes, TrainConfig())
    for skill in LABELS:
        assert again[skill].calibration.temperature == refits[skill].calibration.temperature
        for name, array in refits[skill].candidate.arrays.items():
            assert_array_equal(again[skill].candidate.arrays[name], array)


def test_winners_of_several_kinds_are_refitted_each_as_its_kind(lane_with_views):
    lane, reduction = lane_with_views
    outcomes = compete(lane, reduction, {"three": ["svm"], "five": ["linear"], "two": ["svm"]}, TrainConfig())
    refits = refit(lane, lane.joined(), reduction, outcomes, TrainConfig())
    assert set(refits["five"].candidate.arrays) == {"weight", "bias"}
    for skill in ("three", "two"):
        before = outcomes[skill].entries["svm"].candidate.parameters
        assert {n: refits[skill].candidate.parameters[n] for n in ("gamma", "penalty")} == {
            n: before[n] for n in ("gamma", "penalty")
        }


def test_a_skill_without_validation_photos_is_not_refitted(lane_with_views):
    lane, reduction = lane_with_views
    answers = lane.validation_answers.copy()
    answers[:, 1] = UNLABELLED
    lane = replace(lane, validation_answers=answers)
    outcomes = compete(lane, reduction, {skill: ["linear"] for skill in lane.skills}, TrainConfig())
    assert set(refit(lane, lane.joined(), reduction, outcomes, TrainConfig())) == {"three", "two"}


def test_a_joined_lane_weighs_a_photo_the_same_with_views_and_without(lane_with_views):
    lane, _ = lane_with_views
    joined = lane.joined()
    assert_array_equal(joined.train, np.concatenate([lane.train, lane.validation]))
    for before, after in zip(lane.views, joined.views, strict=True):
        assert_array_equal(after[: len(before)], before)
        assert_array_equal(after[len(before) :], lane.validation)
    assert not len(joined.validation)
    weights = joined.photo_weights()
    for column, labels in enumerate(joined.labels.values()):
        for label in range(len(labels)):
            assert weights[joined.answers[:, column] == label, column].sum() == pytest.approx(1 / len(labels), rel=1e-4)
