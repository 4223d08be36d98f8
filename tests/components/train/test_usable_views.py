"""Views whose transforms break labels: which those are, and what heads learn from them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from coachworks.fleet.model import Augment
from components.augment.policy import POLICY, applied, augmenter, policy_of
from components.augment.study_report import Gain, Move, SkillStudy, StudyReport, TransformStudy
from components.train.batched_lbfgs import Problems, cross_entropy, fit_linear
from components.train.competition import compete
from components.train.config import TrainConfig
from components.train.lane import UNLABELLED
from components.train.usable_views import broken_transforms, left_out, view_answers

SIDES = ("left", "right", "top")
FLIP = TransformStudy(
    verdict="exchanges",
    gain=Gain(value=-0.2, standard_error=0.02),
    transformed_accuracy=0.1,
    moves=[Move(label="left", answered="right", photos=9, of=10, most=True)],
    exchange={"left": "right", "right": "left"},
)
BREAK = replace(FLIP, verdict="breaks", exchange={})
TRANSFORMS = [{"HorizontalFlip": {"p": 0.5}}, {"ToGray": {"p": 0.3}}, {"OneOf": {"transforms": [{"ToGray": {}}]}}]
PHOTOS = [f"{number:064x}" for number in range(40)]


def study(**effects):
    skill = SkillStudy(photos=40, balanced_accuracy=0.9, transforms=effects)
    return StudyReport(photos=40, declared={}, skills={"side": skill, "other": replace(skill, transforms={})})


@pytest.fixture(scope="module")
def policy():
    return policy_of(Augment(views=2, transforms=TRANSFORMS))


@pytest.fixture
def folder(tmp_path, policy):
    (tmp_path / POLICY).write_text(json.dumps(policy.to_json()))
    return tmp_path


def test_the_transforms_of_a_view_are_known_without_its_pixels():
    policy = policy_of(Augment(views=2, transforms=[{"HorizontalFlip": {"p": 0.5}}, {"VerticalFlip": {"p": 0.3}}]))
    augmented = augmenter(policy)
    photo = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    seen = set()
    for photo_id in PHOTOS:
        flipped = applied(policy, photo_id, 1)
        expected = photo[:: -1 if flipped[1] else 1, :: -1 if flipped[0] else 1]
        assert_array_equal(augmented(photo, photo_id, 1), expected)
        seen.add(flipped)
    assert len(seen) > 1


def test_the_transforms_of_the_default_policy_are_known_too():
    from components.augment.toolkit import albumentations

    policy = policy_of(Augment())
    composed = albumentations().from_dict(dict(policy.transforms))
    composed.save_applied_params = True
    names = [next(iter(entry)) for entry in policy.declared]
    photo = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    from components.augment.policy import view_seed

    for photo_id in PHOTOS[:20]:
        composed.set_random_seed(view_seed(policy.view_digest, photo_id, 2))
        expected = {name for name, _ in composed(image=photo)["applied_transforms"]}
        assert {name for name, was in zip(names, applied(policy, photo_id, 2), strict=True) if was} == expected


def test_answers_to_views_with_a_broken_label_are_left_out_for_that_skill_alone(folder, policy):
    answers = np.stack([np.arange(40) % 3, np.arange(40) % 2], axis=1)
    answers[0] = UNLABELLED
    broken = broken_transforms(study(HorizontalFlip=BREAK), ["side", "other", "unknown"])
    assert list(broken) == ["side"]
    tables = view_answers(folder, PHOTOS, answers, {"side": SIDES, "other": ("a", "b")}, broken, exchanges=True)
    for view, table in enumerate(tables, 1):
        flipped = np.array([applied(policy, photo, view)[0] for photo in PHOTOS])
        assert 5 < flipped.sum() < 35
        assert (table[flipped, 0] == UNLABELLED).all()
        assert_array_equal(table[~flipped, 0], answers[~flipped, 0])
        assert_array_equal(table[:, 1], answers[:, 1])


def test_answers_are_exchanged_where_that_is_exact_and_asked_for(folder, policy):
    answers = (np.arange(40) % 3)[:, None]
    answers[0] = UNLABELLED
    broken = broken_transforms(study(HorizontalFlip=FLIP), ["side"])
    vocabulary = {"side": SIDES}
    table = view_answers(folder, PHOTOS, answers, vocabulary, broken, exchanges=True)[0][:, 0]
    flipped = np.array([applied(policy, photo, 1)[0] for photo in PHOTOS])
    exchanged = np.where(answers[:, 0] == 0, 1, np.where(answers[:, 0] == 1, 0, answers[:, 0]))
    assert_array_equal(table, np.where(flipped, exchanged, answers[:, 0]))
    kept = view_answers(folder, PHOTOS, answers, vocabulary, broken, exchanges=False)[0][:, 0]
    assert_array_equal(kept, np.where(flipped, UNLABELLED, answers[:, 0]))


def test_a_view_of_several_broken_transforms_is_left_out_if_one_of_them_is_no_exchange(folder, policy):
    answers = (np.arange(40) % 3)[:, None]
    broken = broken_transforms(study(HorizontalFlip=FLIP, ToGray=BREAK), ["side"])
    table = view_answers(folder, PHOTOS, answers, {"side": SIDES}, broken, exchanges=True)[0][:, 0]
    grey = np.array([applied(policy, photo, 1)[1] for photo in PHOTOS])
    assert_array_equal(table == UNLABELLED, grey)


def test_nothing_changes_without_a_broken_label(tmp_path):
    kept = replace(FLIP, verdict="keeps", exchange={})
    for known in (None, study(HorizontalFlip=kept), study(HorizontalFlip=replace(kept, verdict="shifts"))):
        broken = broken_transforms(known, ["side"])
        assert broken == {}
        assert view_answers(tmp_path, PHOTOS, np.zeros((40, 1), int), {"side": SIDES}, broken, exchanges=True) == ()


def test_the_reason_is_said_in_words():
    assert left_out({"HorizontalFlip": FLIP}, exchanges=False) == (
        "views with HorizontalFlip are left out, as it turns left ↔ right"
    )
    assert left_out({"HorizontalFlip": FLIP}, exchanges=True) == (
        "views with HorizontalFlip have their labels exchanged, as it turns left ↔ right"
    )
    assert left_out({"rotation": BREAK}, exchanges=True) == (
        "views with rotation are left out, as it turns left → right (9 of 10)"
    )


@pytest.fixture(scope="module")
def sides():
    """Points that show a side on their first axis, the mirrored points, and the answers."""
    random = np.random.default_rng(0)
    answers = np.arange(400) % 2
    points = random.normal(size=(400, 6)).astype(np.float32)
    points[:, 0] += np.where(answers == 0, 1.5, -1.5)
    return points, points * np.array([-1, 1, 1, 1, 1, 1], np.float32), answers[:, None]


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_heads_tell_left_from_right_once_mirrored_views_are_left_out_or_exchanged(make_lane, sides, kind):
    points, mirrored, answers = sides
    lane, reduction = make_lane(points, answers, {"side": ("left", "right")}, views=(mirrored,))
    accuracy = {}
    for name, seen in (("kept", ()), ("left out", (lane.answers * 0 - 1,)), ("exchanged", (1 - lane.answers,))):
        trained = compete(replace(lane, view_answers=seen), reduction, {"side": [kind]}, TrainConfig())
        accuracy[name] = trained["side"].entries[kind].score.balanced_accuracy
    assert accuracy["left out"] > 0.85
    assert accuracy["exchanged"] > 0.85
    assert accuracy["kept"] < accuracy["left out"] - 0.1


def test_views_with_answers_of_their_own_count_as_further_photos(sides):
    points, mirrored, answers = sides
    weights = np.full((400, 1), 1 / 400, np.float32)
    later = np.where(np.arange(400) % 3 == 0, 0, weights[:, 0])[:, None].astype(np.float32)
    shared = {"labels": (2,), "penalties": ((0.01,),)}
    tables = Problems(
        points=points, repeats=(mirrored,), answers=answers, weights=weights, repeat_answers=(1 - answers,),
        repeat_weights=(later,), **shared,
    )  # fmt: skip
    stacked = Problems(
        points=np.concatenate([points, mirrored]), answers=np.concatenate([answers, 1 - answers]),
        weights=np.concatenate([weights, later]) / 2, **shared,
    )  # fmt: skip
    first, second = (fit_linear(p, cross_entropy, max_iterations=200, tolerance=1e-6)[0][0] for p in (tables, stacked))
    assert_allclose(first.weight, second.weight, atol=2e-3)
    assert_allclose(first.bias, second.bias, atol=2e-3)


def test_the_weight_of_a_skill_stays_whole_where_views_are_left_out(make_lane, sides):
    points, mirrored, answers = sides
    both = np.concatenate([answers, answers], axis=1)
    lane, _ = make_lane(points, both, {"side": ("left", "right"), "same": ("a", "b")}, views=(mirrored, mirrored))
    gone, half = lane.answers.copy(), lane.answers.copy()
    gone[:, 0], half[::2, 0] = UNLABELLED, UNLABELLED
    lane = replace(lane, view_answers=(gone, half))
    total = np.mean([table.sum(0) for table in lane.table_weights()], axis=0)
    assert_allclose(total, 1, rtol=1e-5)
    assert lane.table_weights()[1][:, 0].sum() == 0
    assert lane.table_weights()[1][:, 1].sum() > 0
    assert [len(table) for table in lane.joined().table_answers()] == [400] * 3
    assert lane.subset(["same"]).view_answers[0].shape == (300, 1)
