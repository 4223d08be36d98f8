import numpy as np
import pytest

from components.train.config import TrainConfig
from components.train.feature_sets import FeatureSets
from components.train.group_choice import choose_groups, pick_groups
from components.train.reduction import fit_reduction, fit_wide_reduction, join
from components.train.selection import Score

LAST, BOTH = ("last",), ("last", "blocks-mean")


def drawn(photos: int, *, seed: int = 0):
    """Two groups: `last` shows the first skill, `blocks-mean` the second."""
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 3, photos), rng.integers(0, 2, photos)
    last = rng.normal(size=(3, 12))[first] * 2 + rng.normal(size=(photos, 12))
    blocks = rng.normal(size=(2, 30))[second] * 2 + rng.normal(size=(photos, 30))
    features = {"last": last.astype(np.float32), "blocks-mean": blocks.astype(np.float32)}
    return features, np.stack([first, second], axis=1)


def sets_of(features, *, cut=150, components=512) -> FeatureSets:
    ids = [str(number) for number in range(len(features["last"]))]
    reads: list[tuple[int, str]] = []

    def read(photo_ids, view, group):
        reads.append((view, group))
        return features[group][[int(name) for name in photo_ids]] + np.float32(view)

    sets = FeatureSets(read, ids[:cut], ids[cut:], features, components)
    sets.reads = reads
    return sets


LABELS = {"first": ("a", "b", "c"), "second": ("no", "yes")}


def test_each_skill_gets_the_smallest_set_that_shows_its_labels():
    features, answers = drawn(200)
    choices = choose_groups(sets_of(features), LABELS, answers, np.arange(200), TrainConfig())
    assert choices["first"].groups == LAST
    assert choices["second"].groups == BOTH
    assert "last + blocks-mean is the best in folds" in choices["second"].why
    assert choices["second"].tried[LAST].balanced_accuracy < 0.7 < choices["second"].tried[BOTH].balanced_accuracy


def test_noise_beside_the_last_layer_is_left_out():
    features, answers = drawn(200)
    features["blocks-mean"] = np.random.default_rng(1).normal(size=(200, 300)).astype(np.float32)
    choices = choose_groups(sets_of(features), LABELS, answers, np.arange(200), TrainConfig())
    assert {choice.groups for choice in choices.values()} == {LAST}


def test_a_head_is_measured_on_sets_that_it_was_not_fitted_on():
    """A group that tells the sets apart, and no label, is worth nothing."""
    rng = np.random.default_rng(0)
    sets = np.repeat(np.arange(40), 5)
    labels = rng.integers(0, 2, 40)[sets]
    features = {
        "last": rng.normal(size=(200, 4)).astype(np.float32),
        "blocks-mean": np.eye(40, dtype=np.float32)[sets] * 3,
    }
    answers = labels[:, None]
    tried = choose_groups(sets_of(features), {"x": ("no", "yes")}, answers, sets, TrainConfig())["x"].tried
    assert tried[BOTH].balanced_accuracy < 0.65


def test_one_set_of_groups_is_no_choice():
    features, answers = drawn(60)
    sets = sets_of({"last": features["last"]}, cut=40)
    choice = choose_groups(sets, LABELS, answers, np.arange(60), TrainConfig())["second"]
    assert (choice.groups, dict(choice.tried), choice.why) == (LAST, {}, "")


def test_without_a_label_for_any_photo_the_smallest_set_wins():
    features, answers = drawn(60)
    choices = choose_groups(sets_of(features, cut=40), LABELS, np.full_like(answers, -1), np.arange(60), TrainConfig())
    assert choices["first"].groups == LAST
    assert choices["first"].why == "last is the smallest set; there are no photos to compare by"


def test_all_photos_in_one_set_do_not_fail():
    features, answers = drawn(60)
    choices = choose_groups(sets_of(features, cut=40), LABELS, answers, np.zeros(60, int), TrainConfig())
    assert set(choices) == set(LABELS)


def test_a_larger_set_within_one_standard_error_is_not_worth_it():
    tried = {LAST: Score(0.96, 0.01), BOTH: Score(0.965, 0.01)}
    assert pick_groups(tried).groups == LAST
    assert pick_groups(tried).why == (
        "last is the smallest set within one standard error of the best in folds: 0.960 against 0.965 ± 0.010 of "
        "last + blocks-mean"
    )
    assert pick_groups({LAST: Score(0.86, 0.01), BOTH: Score(0.92, 0.01)}).groups == BOTH


@pytest.mark.parametrize("groups", [LAST, BOTH], ids=len)
def test_a_heads_reduction_gives_the_points_that_it_was_trained_on(groups):
    features, _ = drawn(200)
    fitted = sets_of(features, components=20).fit(groups)
    own = np.concatenate([features[group] for group in groups], axis=1)
    np.testing.assert_allclose(fitted.reduction(own[:150]), fitted.train, atol=1e-4)
    np.testing.assert_allclose(fitted.reduction(own[150:]), fitted.validation, atol=1e-4)
    assert 0 < fitted.reduction.explained <= 1


def test_views_are_reduced_as_the_clean_photos_and_only_groups_that_are_needed_are_read():
    features, _ = drawn(200)
    sets = sets_of(features, components=20)
    last, both = sets.fit(LAST), sets.fit(BOTH)
    views = sets.views([last, both], 2)
    own = np.concatenate([features[group] for group in BOTH], axis=1)[:150]
    np.testing.assert_allclose(views[BOTH][1], both.reduction(own + 2), atol=1e-4)
    np.testing.assert_allclose(views[LAST][0], last.reduction(own[:, :12] + 1), atol=1e-4)
    sets.reads.clear()
    sets.views([last], 1)
    assert sets.reads == [(1, "last")]


def test_the_last_layer_alone_is_reduced_as_ever():
    features, _ = drawn(200)
    expected = fit_reduction(features["last"][:150], 512)
    assert np.array_equal(sets_of(features).fit(LAST).reduction.projection, expected.projection)


def test_every_set_has_the_variance_of_the_first_group():
    features, _ = drawn(200)
    sets = sets_of(features)
    variance = {groups: float(sets.fit(groups).train.var(0).sum()) for groups in (LAST, BOTH)}
    assert variance[BOTH] == pytest.approx(variance[LAST], rel=1e-3)


def test_approximate_axes_hold_as_much_variance_as_exact_ones():
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(300, 40)) @ rng.normal(size=(40, 500)) + rng.normal(size=(300, 500))).astype(
        np.float32
    )
    exact, near = fit_reduction(features, 30), fit_wide_reduction(features, 30)
    assert near.explained == pytest.approx(exact.explained, abs=0.002)
    np.testing.assert_allclose(near.variances[:20], exact.variances[:20], rtol=0.01)
    assert np.array_equal(near.projection, fit_wide_reduction(features, 30).projection)


def test_joined_axes_are_those_of_a_reduction_of_both_groups_at_once():
    features, _ = drawn(200)
    parts = [fit_reduction(table, 100) for table in features.values()]
    scores = np.concatenate([part(table) for part, table in zip(parts, features.values(), strict=True)], axis=1)
    reduction, axes = join(parts, scores, 5)
    reference = fit_reduction(scores, 5, scaled=False)
    cosine = np.abs(np.sum((scores @ axes) * reference(scores), 0))
    cosine /= np.linalg.norm(scores @ axes, axis=0) * np.linalg.norm(reference(scores), axis=0)
    np.testing.assert_allclose(cosine, 1, atol=1e-5)
    assert reduction.explained == pytest.approx(reference.explained, abs=1e-5)
