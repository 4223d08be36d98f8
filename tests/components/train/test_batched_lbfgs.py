import numpy as np
import pytest
from numpy.testing import assert_allclose

from components.train.batched_lbfgs import Problems, cross_entropy, fit_linear, squared_hinge
from components.train.lane import UNLABELLED, Lane

LABELS = (2, 3, 6)
PENALTIES = (0.003, 0.1)


@pytest.fixture(scope="module")
def drawn():
    """Points and the answers of three skills, a fifth of them missing, with balanced weights."""
    rng = np.random.default_rng(0)
    points = (rng.normal(size=(500, 12)) * np.geomspace(4, 0.3, 12)).astype(np.float32)
    answers = []
    for count in LABELS:
        column = (points @ rng.normal(size=(12, count)) * 0.4 + rng.gumbel(size=(500, count))).argmax(1)
        column[rng.random(500) < 0.2] = UNLABELLED
        answers.append(column)
    lane = Lane(
        labels={str(count): tuple(map(str, range(count))) for count in LABELS},
        train=points,
        views=(),
        answers=np.stack(answers, axis=1),
        train_sets=np.arange(len(points)),
        validation=points[:0],
        validation_answers=np.zeros((0, 3), np.int64),
        validation_sets=np.zeros(0, np.int64),
    )
    return points, lane.answers, lane.photo_weights()


def fitted(drawn, loss, **changes):
    points, answers, weights = drawn
    problems = {"points": points, "answers": answers, "weights": weights, "labels": LABELS}
    problems |= {"penalties": (PENALTIES,) * len(changes.get("labels", LABELS))}
    return fit_linear(Problems(**{**problems, **changes}), loss, max_iterations=300, tolerance=1e-6)


def test_the_linear_heads_are_those_of_scikit_learn(drawn):
    from sklearn.linear_model import LogisticRegression

    points, answers, weights = drawn
    for skill, fits in enumerate(fitted(drawn, cross_entropy)):
        known = answers[:, skill] != UNLABELLED
        # with two labels scikit-learn fits one row instead of two opposite ones, at half the penalty
        halves = 2 if LABELS[skill] == 2 else 1
        for penalty, fit in zip(PENALTIES, fits, strict=True):
            reference = LogisticRegression(C=halves / penalty, tol=1e-10, max_iter=5000)
            reference.fit(points[known], answers[known, skill], sample_weight=weights[known, skill])
            logits = (points @ fit.weight.T + fit.bias).astype(np.float64)
            expected = np.atleast_2d(reference.predict_log_proba(points))
            assert_allclose(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True), expected, atol=0.02)


def test_the_machines_are_those_of_scikit_learn(drawn):
    from sklearn.svm import LinearSVC

    points, answers, weights = drawn
    for skill, fits in enumerate(fitted(drawn, squared_hinge, curvature=1.0)):
        known = answers[:, skill] != UNLABELLED
        for penalty, fit in zip(PENALTIES, fits, strict=True):
            # the reference penalises its bias unless that is scaled up
            reference = LinearSVC(C=1 / penalty, intercept_scaling=300, tol=1e-8, max_iter=100_000)
            reference.fit(points[known], answers[known, skill], sample_weight=weights[known, skill])
            expected = reference.decision_function(points)
            decisions = points @ fit.weight.T + fit.bias
            assert_allclose(decisions[:, 1] if LABELS[skill] == 2 else decisions, expected, atol=0.02)


def test_a_skill_is_fitted_as_if_it_were_alone(drawn):
    points, answers, weights = drawn
    together = fitted(drawn, cross_entropy)[1]
    alone = fitted(drawn, cross_entropy, answers=answers[:, 1:2], weights=weights[:, 1:2], labels=LABELS[1:2])[0]
    for one, other in zip(together, alone, strict=True):
        assert_allclose(points @ one.weight.T, points @ other.weight.T, atol=0.01)


def test_every_skill_has_penalties_of_its_own(drawn):
    points, *_ = drawn
    grid = fitted(drawn, cross_entropy)
    own = fitted(drawn, cross_entropy, penalties=(PENALTIES[:1], PENALTIES[1:], ()))
    assert [len(row) for row in own] == [1, 1, 0]
    for one, other in zip((own[0][0], own[1][0]), (grid[0][0], grid[1][1]), strict=True):
        assert_allclose(points @ one.weight.T, points @ other.weight.T, atol=0.01)


def test_photos_without_a_label_are_left_out(drawn):
    points, answers, _ = drawn
    changed = points.copy()
    changed[answers[:, 1] == UNLABELLED] = 1e3
    before, after = fitted(drawn, cross_entropy)[1][1], fitted(drawn, cross_entropy, points=changed)[1][1]
    assert_allclose(after.weight, before.weight, atol=0.02)


def test_a_view_equal_to_the_photos_changes_nothing(drawn):
    points, *_ = drawn
    once, twice = fitted(drawn, cross_entropy)[2][1], fitted(drawn, cross_entropy, repeats=(points,))[2][1]
    assert_allclose(twice.weight, once.weight, atol=0.005)


def test_the_same_numbers_come_out_twice(drawn):
    one, two = (fitted(drawn, cross_entropy)[1][0] for _ in range(2))
    assert (one.weight == two.weight).all()


def test_a_stronger_penalty_gives_smaller_weights(drawn):
    for weak, strong in fitted(drawn, cross_entropy):
        assert np.linalg.norm(strong.weight) < np.linalg.norm(weak.weight)
        assert weak.converged
        assert strong.converged


def test_constant_points_give_zero_weights(drawn):
    points, *_ = drawn
    fit = fitted(drawn, cross_entropy, points=np.zeros_like(points))[1][0]
    assert np.isfinite(fit.weight).all()
    assert_allclose(fit.weight, 0)
