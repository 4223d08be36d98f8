from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from components.train import policy_choice
from components.train.batched_lbfgs import cross_entropy
from components.train.config import CLASS_WEIGHTS, TrainConfig
from components.train.imbalance import AUTO, POLICIES, focal, log_shares, pick_policy, weighing
from components.train.lane import UNLABELLED, Lane
from components.train.linear import fit, fit_heads
from components.train.out_of_fold import fit_with_folds
from components.train.policy_choice import choose_policies
from components.train.reduction import Reduction

RARE = {"rare": ("common", "rare")}


def lane_of(points, answers, labels=None, **rest):
    """A lane of training photos only, each a set of its own."""
    answers = answers.reshape(len(points), -1)
    return Lane(
        **{
            "labels": labels or {"skill": tuple(map(str, range(answers.max() + 1)))},
            "train": points.astype(np.float32),
            "views": (),
            "answers": answers,
            "train_sets": np.arange(len(points)),
            "validation": points[:0].astype(np.float32),
            "validation_answers": answers[:0],
            "validation_sets": np.arange(0),
            **rest,
        }
    )


def draw(counts, dimensions=6, distance=1.2, seed=0):
    """Points around one centre per label, so many of each, in random order."""
    rng = np.random.default_rng(seed)
    answers = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    centres = rng.normal(size=(len(counts), dimensions)) * distance
    return (centres[answers] + rng.normal(size=(len(answers), dimensions))).astype(np.float32), answers


@pytest.fixture(scope="module")
def hundredth():
    """1,200 photos, of which twelve have the rare label."""
    points, answers = draw([1188, 12])
    return lane_of(points, answers, RARE)


@pytest.fixture(scope="module")
def chosen(hundredth):
    return choose_policies(hundredth, TrainConfig())["rare"]


def test_the_focal_loss_and_its_gradient_are_those_of_autograd():
    rng = np.random.default_rng(1)
    logits = torch.from_numpy(rng.normal(size=(4, 50)) * 4).requires_grad_()
    answers, weights = torch.from_numpy(rng.integers(0, 4, 50)), torch.from_numpy(rng.random(50))
    probability = logits.softmax(0)[answers, torch.arange(50)]
    expected = (-((1 - probability) ** 2) * probability.log() * weights).sum()
    expected.backward()
    loss, gradient = focal(logits.detach().clone(), answers, weights)
    assert_allclose(loss, expected.detach(), rtol=1e-12)
    assert_allclose(gradient, logits.grad, atol=1e-12)


def test_the_focal_loss_neglects_photos_that_are_answered_well():
    logits, answers, weights = torch.tensor([[3.0, -1.0], [0.0, 0.0]]), torch.tensor([0, 0]), torch.ones(2)
    _, of_focal = focal(logits.clone(), answers, weights)
    _, of_entropy = cross_entropy(logits.clone(), answers, weights)
    ratio = of_focal.abs().sum(0) / of_entropy.abs().sum(0)
    assert ratio[0] < 0.02
    assert ratio[1] > 0.5


def test_the_linear_head_of_the_focal_loss_is_that_of_an_independent_optimiser():
    from scipy.optimize import minimize

    points, answers = draw([60, 30, 10])
    weights = torch.from_numpy((100 / 3 / np.bincount(answers))[answers] / 100)
    own, truth = torch.from_numpy(points).double(), torch.from_numpy(answers)

    def objective(parameters):
        weight = torch.from_numpy(parameters.reshape(3, -1)).requires_grad_()
        log = (own @ weight[:, :-1].T + weight[:, -1]).log_softmax(1)[torch.arange(100), truth]
        loss = -((1 - log.exp()) ** 2 * log * weights).sum() + 0.05 / 2 * (weight[:, :-1] ** 2).sum()
        loss.backward()
        return loss.item(), weight.grad.numpy().ravel()

    expected = minimize(objective, np.zeros(21), jac=True, method="BFGS").x.reshape(3, -1)
    ((fitted,),) = fit_heads(lane_of(points, answers, class_weights="focal"), [(0.05,)], max_iterations=200)
    assert_allclose(fitted.weight, expected[:, :-1], atol=0.01)
    assert_allclose(fitted.bias - fitted.bias.mean(), expected[:, -1] - expected[:, -1].mean(), atol=0.03)


@pytest.mark.parametrize("exchanged", [False, True])
def test_logit_adjustment_is_a_fit_with_shifted_logits(exchanged):
    """The reference adds the logarithms of the labels' shares while it fits, and leaves them out afterwards."""
    from scipy.optimize import minimize

    points, answers = draw([80, 15, 5])
    view = (points + np.random.default_rng(7).normal(size=points.shape) * 0.3).astype(np.float32)
    seen = np.array([0, 2, 1])[answers] if exchanged else answers  # labels of the view: the rare ones exchanged
    rest = {"views": (view,), "view_answers": (seen[:, None],) if exchanged else ()}
    own, truth = torch.from_numpy(np.r_[points, view]).double(), torch.from_numpy(np.r_[answers, seen])
    shift = (torch.bincount(truth) / 200).double().log()

    def objective(parameters):
        weight = torch.from_numpy(parameters.reshape(3, -1)).requires_grad_()
        loss = torch.nn.functional.cross_entropy(own @ weight[:, :-1].T + weight[:, -1] + shift, truth)
        loss = loss + 0.05 / 2 * (weight[:, :-1] ** 2).sum()
        loss.backward()
        return loss.item(), weight.grad.numpy().ravel()

    expected = minimize(objective, np.zeros(21), jac=True, method="BFGS").x.reshape(3, -1)
    lane = lane_of(points, answers, class_weights="logit-adjustment", **rest)
    ((fitted,),) = fit_heads(lane, [(0.05,)], max_iterations=200)
    assert_allclose(fitted.weight, expected[:, :-1], atol=0.01)
    assert_allclose(fitted.bias - fitted.bias.mean(), expected[:, -1] - expected[:, -1].mean(), atol=0.03)


def test_an_adjusted_head_that_starts_at_its_solution_stays_there():
    points, answers = draw([80, 15, 5])
    lane = lane_of(points, answers, class_weights="logit-adjustment")
    ((first,),) = fit_heads(lane, [(0.05,)], max_iterations=200)
    ((again,),) = fit_heads(replace(lane, starts={"skill": (first.weight, first.bias)}), [(0.05,)], max_iterations=200)
    assert again.iterations <= 2 < first.iterations
    assert_allclose(points @ again.weight.T + again.bias, points @ first.weight.T + first.bias, atol=0.01)


def test_shares_of_labels_without_photos_shift_nothing():
    assert_allclose(log_shares(np.array([3.0, 1.0, 0.0])), [np.log(0.75), np.log(0.25), 0])
    assert_array_equal(log_shares(np.zeros(2)), 0)


def test_skills_of_a_lane_have_policies_of_their_own():
    points, answers = draw([70, 30])
    twice = np.stack([answers] * len(POLICIES), axis=1)
    labels = dict.fromkeys(POLICIES, ("a", "b"))
    lane = lane_of(points, twice, labels, policies={policy: policy for policy in POLICIES})
    together = fit_heads(lane, [(0.03,)] * len(POLICIES), max_iterations=100)
    for policy, (one,) in zip(POLICIES, together, strict=True):
        ((alone,),) = fit_heads(lane_of(points, answers, class_weights=policy), [(0.03,)], max_iterations=100)
        assert_allclose(points @ one.weight.T + one.bias, points @ alone.weight.T + alone.bias, atol=0.02)


def test_one_photo_in_a_hundred_is_found_by_a_policy_that_is_not_none(hundredth, chosen):
    """New photos, as many of each label, confirm what the folds said."""
    assert set(chosen.tried) == set(POLICIES)
    assert chosen.policy != "none"
    points, answers = draw([500, 500])
    recalls = {}
    for policy in (chosen.policy, "none"):
        ((head,),) = fit_heads(replace(hundredth, policies={"rare": policy}), [(0.03,)], max_iterations=100)
        recalls[policy] = ((points @ head.weight.T + head.bias).argmax(1) == answers)[answers == 1].mean()
    assert recalls[chosen.policy] > recalls["none"] + 0.2
    gap = chosen.tried[chosen.policy].balanced_accuracy - chosen.tried["none"].balanced_accuracy
    assert gap > 2 * chosen.tried["none"].standard_error


def test_the_choice_is_the_same_for_labels_in_another_order(hundredth, chosen):
    other = replace(hundredth, labels={"rare": ("rare", "common")}, answers=1 - hundredth.answers)
    again = choose_policies(other, TrainConfig())["rare"]
    assert again.policy == chosen.policy
    for policy, tried in again.tried.items():
        assert tried.balanced_accuracy == pytest.approx(chosen.tried[policy].balanced_accuracy, abs=0.01)


def test_choosing_twice_gives_the_same(hundredth, chosen):
    assert choose_policies(hundredth, TrainConfig())["rare"] == chosen


def test_even_labels_fit_nothing_more(monkeypatch):
    points, answers = draw([60, 50])
    monkeypatch.setattr(policy_choice, "fit_heads", lambda *_, **__: pytest.fail("a head was fitted"))
    choice = choose_policies(lane_of(points, answers), TrainConfig())["skill"]
    assert (choice.policy, choice.tried) == ("balanced", {})
    assert choice.why == "balanced, without a comparison: no label has 1.5 times as many photos as another"


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_that_is_set_is_taken_without_a_comparison(hundredth, policy, monkeypatch):
    monkeypatch.setattr(policy_choice, "fit_heads", lambda *_, **__: pytest.fail("a head was fitted"))
    choice = choose_policies(hundredth, TrainConfig(class_weights=policy))["rare"]
    assert (choice.policy, choice.tried, choice.why) == (policy, {}, f"{policy}, by the setting class_weights")


def test_a_label_with_one_photo_leaves_nothing_to_compare_by():
    points, answers = draw([3, 1])
    choice = choose_policies(replace(lane_of(points, answers), train_sets=np.zeros(4, np.int64)), TrainConfig())
    assert choice["skill"].policy == "logit-adjustment"
    assert choice["skill"].why == "logit-adjustment: no photo can be held out to compare policies by"


def test_photos_without_a_label_do_not_count(hundredth, chosen):
    more = np.concatenate([hundredth.train, np.full((50, hundredth.train.shape[1]), 3, np.float32)])
    answers = np.concatenate([hundredth.answers, np.full((50, 1), UNLABELLED)])
    again = choose_policies(lane_of(more, answers, RARE), TrainConfig())["rare"]
    for policy, tried in again.tried.items():
        assert tried.balanced_accuracy == pytest.approx(chosen.tried[policy].balanced_accuracy, abs=0.01)


def test_many_photos_are_compared_by_a_sample_of_whole_sets(hundredth, monkeypatch):
    monkeypatch.setattr(policy_choice, "_PHOTOS", 300)
    sampled = policy_choice._sample(replace(hundredth, train_sets=np.arange(1200) // 5), seed=0)
    assert 290 < len(sampled.train) <= 300
    assert (np.bincount(sampled.train_sets)[np.unique(sampled.train_sets)] == 5).all()


@pytest.mark.parametrize("policy", POLICIES)
def test_out_of_fold_heads_follow_the_policy_of_their_skill(policy):
    points, answers = draw([60, 20])
    dimensions = points.shape[1]
    whole = Reduction(np.zeros(dimensions, np.float32), np.eye(dimensions, dtype=np.float32), np.ones(dimensions), 1.0)
    lane = lane_of(points, answers, policies={"skill": policy})
    settings = {"skill": {"penalty": 0.1}}
    answered = fit_with_folds(lane, lambda part, own: fit(part, whole, TrainConfig(), own), settings)["skill"]
    rows = answered.rows[answered.folds == 1]
    without = lane.answers.copy()
    without[rows] = UNLABELLED
    ((head,),) = fit_heads(replace(lane, answers=without), [(0.1,)], max_iterations=100)
    expected = points[rows] @ head.weight.T + head.bias
    assert_allclose(answered.logits[answered.folds == 1], expected, atol=0.02)


def test_a_lane_keeps_its_policies():
    points, answers = draw([6, 4])
    lane = lane_of(points, np.stack([answers, answers], axis=1), {"a": ("x", "y"), "b": ("x", "y")})
    lane = replace(lane, class_weights="none", policies={"b": "focal"})
    assert (lane.subset(["b"]).policy("b"), lane.joined().policy("b"), lane.joined().policy("a")) == (
        "focal",
        "focal",
        "none",
    )


def logits_of(predicted, labels):
    return np.eye(labels)[predicted]


def test_equally_good_policies_leave_the_first():
    answers = np.repeat([0, 1], [40, 10])
    logits = dict.fromkeys(POLICIES, logits_of(answers, 2))
    choice = pick_policy(logits, answers, np.arange(50), seed=0)
    assert choice.policy == POLICIES[0]
    assert {tried.standard_error for tried in choice.tried.values()} == {0}


def test_a_policy_that_is_better_by_more_than_the_error_of_the_difference_wins():
    """Two accuracies with large errors of their own differ surely if one is right wherever the other is."""
    answers = np.repeat([0, 1], [40, 40])
    half = np.where(np.arange(80) % 2, answers, 1 - answers)
    better = half.copy()
    better[:6] = answers[:6]
    logits = {"balanced": logits_of(better, 2), "logit-adjustment": logits_of(half, 2), "none": logits_of(half, 2)}
    choice = pick_policy(logits, answers, np.arange(80), seed=0)
    assert choice.policy == "balanced"
    assert choice.why == (
        "balanced has the best balanced accuracy in folds, 0.537, against logit-adjustment 0.500 (difference ± 0.022), "
        "none 0.500 (difference ± 0.022)"
    )


def test_a_policy_that_is_better_by_chance_loses_to_an_earlier_one():
    answers = np.repeat([0, 1], [40, 4])
    one_more = answers.copy()
    one_more[-1] = 0
    logits = {"balanced": logits_of(one_more, 2), "none": logits_of(answers, 2)}
    choice = pick_policy(logits, answers, np.arange(44), seed=0)
    assert choice.policy == "balanced"
    assert choice.why.startswith("balanced is the first of the policies within one standard error of the best in folds")
    assert choice.why.endswith("below none")


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(2, 4))
def test_the_choice_is_the_first_policy_within_its_standard_error(seed, photos, labels):
    rng = np.random.default_rng(seed)
    answers, sets = rng.integers(0, labels, photos), rng.integers(0, 10, photos)
    logits = {policy: rng.normal(size=(photos, labels)) for policy in POLICIES}
    choice = pick_policy(logits, answers, sets, seed=0)
    top = max(tried.balanced_accuracy for tried in choice.tried.values())
    within = [p for p in POLICIES if top - choice.tried[p].balanced_accuracy <= choice.tried[p].standard_error]
    assert choice.policy == within[0]


def test_other_candidates_take_what_they_can_of_a_policy():
    assert {policy: weighing("linear", policy) for policy in POLICIES} == {
        "balanced": "balanced",
        "logit-adjustment": "none",
        "focal": "balanced",
        "none": "none",
    }
    for kind in ("svm", "mlp", "knn", "naive-bayes"):
        assert {weighing(kind, policy) for policy in POLICIES if policy != "none"} == {"balanced"}
        assert weighing(kind, "none") == "none"


def test_the_setting_names_the_policies():
    assert set(CLASS_WEIGHTS) == {AUTO, *POLICIES}
