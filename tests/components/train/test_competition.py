import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from coachworks.errors import InvalidConfigError
from components.train.bayes import discriminant_axes
from components.train.competition import compete
from components.train.config import TrainConfig
from components.train.lane import UNLABELLED, label_weights
from components.train.reduction import fit_reduction
from components.train.selection import COMPLEXITY, Score, pick

KINDS = COMPLEXITY[:-1]  # `fine-tune` has tests of its own


@pytest.mark.parametrize("kind", KINDS)
def test_every_candidate_learns_what_can_be_learnt(outcomes, kind):
    entry = outcomes["three"].entries[kind]
    assert entry.score.balanced_accuracy > 0.9
    assert 0 <= entry.score.standard_error < 0.1
    assert entry.candidate.tried


def test_every_skill_gets_exactly_its_candidates(lane_and_reduction):
    lane, reduction = lane_and_reduction
    kinds = {"three": ["linear", "knn"], "five": ["naive-bayes"], "two": ["knn"]}
    outcomes = compete(lane, reduction, kinds, TrainConfig())
    assert {skill: sorted(outcome.entries) for skill, outcome in outcomes.items()} == {
        "three": ["knn", "linear"],
        "five": ["naive-bayes"],
        "two": ["knn"],
    }
    assert outcomes["five"].winner == "naive-bayes"
    assert "naive-bayes is the only candidate" in outcomes["five"].why


@pytest.mark.parametrize("kind", KINDS)
def test_training_twice_gives_the_same_head(lane_and_reduction, outcomes, kind):
    lane, reduction = lane_and_reduction
    again = compete(lane, reduction, {skill: [kind] for skill in lane.skills}, TrainConfig())
    for name, array in outcomes["five"].entries[kind].candidate.arrays.items():
        assert_array_equal(again["five"].entries[kind].candidate.arrays[name], array)


def test_balanced_weights_find_a_rare_label(draw_points, make_lane):
    points, answers = draw_points(1200, 6, 2, spread=5.0, seed=3)
    keep = (answers[:, 0] == 0) | (np.random.default_rng(0).random(1200) < 0.08)
    labels = {"rare": ("common", "rare")}
    recalls = {}
    for policy in ("balanced", "none"):
        lane, reduction = make_lane(points[keep], answers[keep], labels, class_weights=policy)
        candidate = compete(lane, reduction, {"rare": ["linear"]}, TrainConfig())["rare"].entries["linear"].candidate
        rare = lane.validation_answers[:, 0] == 1
        recalls[policy] = (candidate.logits[rare].argmax(1) == 1).mean()
    assert recalls["balanced"] > recalls["none"]


@pytest.mark.parametrize("kind", KINDS)
def test_one_photo_per_label_does_not_fail(draw_points, make_lane, kind):
    points, answers = draw_points(8, 5, 2)
    answers[:2, 0] = 0, 1
    answers[2:, 0] = UNLABELLED
    lane, reduction = make_lane(points, answers, {"tiny": ("a", "b")})
    outcome = compete(lane, reduction, {"tiny": [kind]}, TrainConfig())["tiny"]
    assert outcome.winner == kind
    assert all(np.isfinite(array).all() for array in outcome.entries[kind].candidate.arrays.values())


@pytest.mark.parametrize("kind", KINDS)
def test_without_validation_photos_the_simplest_wins_and_says_so(lane_and_reduction, kind):
    lane, reduction = lane_and_reduction
    blind = replace(
        lane,
        validation=lane.validation[:0],
        validation_answers=lane.validation_answers[:0],
        validation_sets=lane.validation_sets[:0],
    )
    outcome = compete(blind, reduction, {skill: [kind] for skill in lane.skills}, TrainConfig())["three"]
    assert math.isnan(outcome.entries[kind].score.balanced_accuracy)
    assert outcome.why == f"{kind} is the simplest candidate; there are no validation photos to compare by"


def test_constant_features_do_not_fail(draw_points, make_lane):
    points, answers = draw_points(80, 4, 2)
    lane, reduction = make_lane(np.full_like(points, 7), answers, {"flat": ("a", "b")})
    outcome = compete(lane, reduction, {"flat": KINDS}, TrainConfig())["flat"]
    for entry in outcome.entries.values():
        assert np.isfinite(entry.candidate.logits).all()


def test_the_simplest_within_one_standard_error_wins():
    scores = {"svm": Score(0.90, 0.02), "linear": Score(0.885, 0.02), "knn": Score(0.86, 0.02)}
    winner, why = pick(scores)
    assert winner == "linear"
    assert why == (
        "linear is the simplest candidate within one standard error of the best on validation: "
        "0.885 against svm's 0.900 ± 0.020"
    )


def test_the_best_wins_when_nothing_simpler_comes_close():
    winner, why = pick({"svm": Score(0.90, 0.01), "linear": Score(0.885, 0.02)})
    assert winner == "svm"
    assert why == ("svm is the best on validation, 0.900 ± 0.010; no simpler candidate comes within one standard error")


@given(st.dictionaries(st.sampled_from(KINDS), st.tuples(st.floats(0, 1), st.floats(0, 0.2)), min_size=1))
def test_the_winner_is_within_one_standard_error_and_nothing_simpler_is(drawn):
    scores = {name: Score(*values) for name, values in drawn.items()}
    winner, why = pick(scores)
    best = max(scores.values(), key=lambda score: score.balanced_accuracy).balanced_accuracy
    bars = [s.balanced_accuracy - s.standard_error for s in scores.values() if s.balanced_accuracy == best]
    assert scores[winner].balanced_accuracy >= min(bars)
    assert winner in why
    for simpler in COMPLEXITY[: COMPLEXITY.index(winner)]:
        assert simpler not in scores or scores[simpler].balanced_accuracy < max(bars)


def test_balanced_weights_weigh_all_labels_alike():
    answers = np.array([0] * 90 + [1] * 9 + [2])
    weights = label_weights(answers, 4, "balanced")
    assert_allclose([weights[answers][answers == label].sum() for label in (0, 1, 2)], 100 / 3, rtol=1e-5)
    assert weights[3] == 0
    assert_allclose(label_weights(answers, 4, "none"), 1)


def test_discriminant_axes_are_those_of_scikit_learn(draw_points):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    points, answers = draw_points(300, 8, 4, seed=2)
    # as many photos of every label: the reference weighs labels by their photos, ours count alike
    chosen = np.concatenate([np.flatnonzero(answers[:, 0] == label)[:50] for label in range(4)])
    points, answers = (points[chosen] - points[chosen].mean(0)).astype(np.float64), answers[chosen, 0]
    axes = discriminant_axes(points, answers, 4, shrinkage=0.0)
    reference = LinearDiscriminantAnalysis(solver="eigen").fit(points, answers)
    ours, theirs = np.linalg.qr(axes)[0], np.linalg.qr(reference.scalings_[:, :3])[0]
    # the same plane: all cosines of the angles between the two are 1
    assert_allclose(np.linalg.svd(ours.T @ theirs)[1], 1, atol=0.02)


def test_reduced_dimensions_keep_distances_between_scaled_features(draw_points):
    points, _ = draw_points(60, 10, 3)
    reduction = fit_reduction(points, 10)
    reduced = reduction(points)
    assert reduced.shape == (60, 10)
    assert reduction.explained == pytest.approx(1)
    assert_allclose(reduced.mean(0), 0, atol=1e-4)
    assert_allclose(reduced.var(0), reduction.variances, rtol=1e-3)
    assert (np.diff(reduction.variances) <= 1e-6).all()
    assert_allclose(np.corrcoef(reduced.T), np.eye(10), atol=1e-3)
    assert reduction.variances.sum() == pytest.approx(10, rel=1e-3)


def test_there_are_no_more_components_than_photos(draw_points):
    points, _ = draw_points(5, 40, 2)
    assert fit_reduction(points, 512)(points).shape[1] <= 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"class_weights": "some"},
            "class_weights must be one of auto, balanced, none, logit-adjustment, focal; got 'some'",
        ),
        ({"components": 1}, "components must be an integer of at least 2; got 1"),
        ({"seed": -1}, "seed must be an integer of at least 0; got -1"),
        ({"components": 2.5}, "components must be an integer of at least 2; got 2.5"),
    ],
)
def test_settings_that_break_their_rule_are_refused(changes, message):
    with pytest.raises(InvalidConfigError, match=message):
        TrainConfig(**changes)
