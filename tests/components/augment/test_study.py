"""Effects of transforms on skills, from fabricated features whose truth is known."""

import numpy as np
import pandas as pd
import pytest

from components.augment.held_out import augmented_answers, clean_answers, products, standardised
from components.augment.label_breaks import Answered, gain, moved, partners, verdict_of
from components.augment.study_report import Gain, Move, moves_text
from components.augment.transform_effects import Sample, effects, samples

VIEWS = ("front-left", "front-right", "rear-left", "rear-right", "detail")
COLOURS = ("red", "orange", "blue")


def photos(count: int = 200, *, seed: int = 0, noise: float = 0.35) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of photos, and their labels of two skills: axis 1 tells left from right, axis 3 red from orange."""
    random = np.random.default_rng(seed)
    view, colour = np.arange(count) % 5, np.arange(count) // 5 % 3
    features = random.normal(0, noise, (count, 40))
    features[:, 0] += np.where(view < 2, 1, -1) * (view < 4)
    features[:, 1] += np.where(view % 2 == 0, 1, -1) * (view < 4)
    features[:, 2] += 2.0 * (view == 4)
    features[:, 3] += np.where(colour == 0, 1, -1) * (colour < 2)
    features[:, 4] += 2.0 * (colour == 2)
    return features, view, colour


def mirrored(features: np.ndarray) -> np.ndarray:
    result = features.copy()
    result[:, 1] *= -1
    return result


def yellowed(features: np.ndarray, colour: np.ndarray) -> np.ndarray:
    result = features.copy()
    result[colour == 0, 3] -= 1.8
    return result


def sample(truth: np.ndarray, labels: tuple[str, ...], sets: np.ndarray | None = None) -> Sample:
    return Sample(np.arange(len(truth)), truth, np.arange(len(truth)) if sets is None else sets, labels)


def test_a_mirror_exchanges_left_and_right_for_one_skill_and_keeps_the_labels_of_another() -> None:
    features, view, colour = photos()
    skill_samples = {"view": sample(view, VIEWS), "colour": sample(colour, COLOURS)}
    studied = effects(features, [("flip-left-right", mirrored(features))], skill_samples)
    flip = studied["view"].transforms["flip-left-right"]
    assert flip.verdict == "exchanges"
    assert flip.exchange == {
        "front-left": "front-right", "front-right": "front-left", "rear-left": "rear-right", "rear-right": "rear-left",
    }  # fmt: skip
    assert moves_text(flip) == "front-left ↔ front-right, rear-left ↔ rear-right"
    assert flip.gain.value < -0.1  # with the labels as they were, heads cannot tell left from right any more
    assert flip.exchanged_gain is not None
    assert flip.exchanged_gain.value > -0.02
    assert flip.transformed_accuracy < 0.5 < studied["view"].balanced_accuracy
    kept = studied["colour"].transforms["flip-left-right"]
    assert (kept.verdict, kept.moves, kept.exchange, kept.exchanged_gain) == ("keeps", (), {}, None)


def test_a_shift_of_colours_breaks_one_label_and_is_no_exchange() -> None:
    features, view, colour = photos()
    skill_samples = {"view": sample(view, VIEWS), "colour": sample(colour, COLOURS)}
    studied = effects(features, [("hue-saturation-value", yellowed(features, colour))], skill_samples)
    shift = studied["colour"].transforms["hue-saturation-value"]
    assert shift.verdict == "breaks"
    assert [(move.label, move.answered) for move in shift.moves] == [("red", "orange")]
    assert shift.moves[0].photos > 0.6 * shift.moves[0].of
    assert moves_text(shift).startswith("red → orange (")
    assert studied["view"].transforms["hue-saturation-value"].verdict == "keeps"


@pytest.mark.parametrize("seed", range(10))
def test_a_transform_that_only_adds_noise_breaks_nothing(seed: int) -> None:
    features, view, colour = photos(seed=seed)
    noisy = features + np.random.default_rng(seed + 100).normal(0, 0.3, features.shape)
    studied = effects(features, [("noise", noisy)], {"view": sample(view, VIEWS), "colour": sample(colour, COLOURS)})
    assert {skill.transforms["noise"].verdict for skill in studied.values()} == {"keeps"}


def test_the_order_of_photos_and_of_labels_does_not_matter() -> None:
    features, view, _ = photos()
    first = effects(features, [("m", mirrored(features))], {"view": sample(view, VIEWS)})["view"].transforms["m"]
    order = np.random.default_rng(1).permutation(len(view))
    names = VIEWS[::-1]
    other = Sample(order, 4 - view[order], order, names)
    second = effects(features, [("m", mirrored(features))], {"view": other})["view"].transforms["m"]
    assert second.exchange == first.exchange
    assert second.gain.value == pytest.approx(first.gain.value)
    assert second.transformed_accuracy == pytest.approx(first.transformed_accuracy)


def answered(moved: list[int], sets: list[int] | None = None) -> Answered:
    count = len(moved)
    truth = np.zeros(count + 20, np.int64)
    truth[count:] = 1
    transformed = np.concatenate([np.array(moved), np.ones(20, np.int64)])
    groups = np.arange(count + 20) if sets is None else np.concatenate([np.array(sets), np.arange(20) + 1000])
    return Answered(truth=truth, clean=truth, transformed=transformed, sets=groups)


def test_photos_of_one_set_count_as_one_piece_of_evidence() -> None:
    moves = [1] * 12
    assert moved(answered(moves), ("a", "b")) == [Move(label="a", answered="b", photos=12, of=12, most=True)]
    assert moved(answered(moves, sets=[7] * 12), ("a", "b")) == []


def test_moves_break_labels_only_where_training_on_the_transformed_photos_is_harmful() -> None:
    """A head may be at a loss with photos that it has not seen the like of, although their labels hold."""
    most, third = (moved(answered(moves), ("a", "b")) for moves in ([1] * 12, [1] * 8 + [0] * 16))
    assert [move.most for move in most + third] == [True, False]
    verdicts = [
        [verdict_of(moves, Gain(value=value, standard_error=0.02)) for value in (-0.05, -0.03, 0.01)]
        for moves in (most, third, [])
    ]
    assert verdicts == [["breaks", "breaks", "shifts"], ["breaks", "keeps", "keeps"], ["keeps", "keeps", "keeps"]]


def test_a_label_that_moves_one_way_is_no_exchange() -> None:
    one_way = answered([1] * 12)
    moves = moved(one_way, ("a", "b"))
    assert moves
    assert partners(one_way, ("a", "b"), moves) == {}


def test_a_rare_pair_that_moves_like_the_frequent_one_belongs_to_the_exchange() -> None:
    truth = np.array([0] * 12 + [1] * 12 + [2] * 2 + [3] * 2 + [4] * 5)
    other = np.array([1, 0, 3, 2, 4])[truth]
    both = Answered(truth=truth, clean=truth, transformed=other, sets=np.arange(len(truth)))
    moves = moved(both, VIEWS)
    assert {move.label for move in moves} == {"front-left", "front-right"}
    assert partners(both, VIEWS, moves) == {
        "front-left": "front-right", "front-right": "front-left", "rear-left": "rear-right", "rear-right": "rear-left",
    }  # fmt: skip


def test_the_standard_error_of_a_gain_is_that_of_paired_differences() -> None:
    truth = np.arange(400) % 2
    before = np.where(np.arange(400) % 4 == 0, 1 - truth, truth)
    after = np.where(np.arange(400) % 8 == 0, 1 - truth, truth)
    measured = gain(truth, before, after, 2, np.arange(400))
    assert measured.value == pytest.approx(0.125)
    # of the 200 photos of label 0, 50 become right: half the error of a share of a quarter
    assert measured.standard_error == pytest.approx(0.5 * np.sqrt(0.25 * 0.75 / 200), rel=0.15)
    assert gain(truth, before, before, 2, np.arange(400)).standard_error == 0


def test_heads_agree_with_ridge_regression_of_scikit_learn() -> None:
    from sklearn.linear_model import Ridge
    from sklearn.utils.class_weight import compute_sample_weight

    from components.augment.held_out import _RIDGE

    features, view, _ = photos(60, noise=1.0)
    other = features + np.random.default_rng(9).normal(0, 0.5, features.shape)
    view = np.minimum(view, 2)  # labels of unequal counts
    folds = np.arange(60) % 3
    clean, moved = standardised(features, other)
    inner = products(clean, moved)
    expected, augmented = np.empty((2, 60), np.int64), np.empty(60, np.int64)
    table, table_moved = (np.hstack([rows, np.ones((60, 1))]) for rows in (clean, moved))
    for fold in range(3):
        held, known = folds == fold, folds != fold
        for rows, truth, targets in (
            (table[known], view[known], (expected[0], expected[1])),
            (np.vstack([table[known], table_moved[known]]), np.tile(view[known], 2), (augmented,)),
        ):
            weights = compute_sample_weight("balanced", truth)
            head = Ridge(alpha=_RIDGE, fit_intercept=False).fit(rows, np.eye(3)[truth] * 2 - 1, sample_weight=weights)
            for target, seen in zip(targets, (table[held], table_moved[held]), strict=False):
                target[held] = head.predict(seen).argmax(1)
    assert np.array_equal(np.stack(clean_answers(inner, view, 3, folds)), expected)
    assert np.array_equal(augmented_answers(inner, view, view, 3, folds), augmented)


def test_a_skill_with_too_few_sets_of_a_label_is_not_studied_and_says_so() -> None:
    rows = [(f"p{n}", f"s{n if label == 'a' else 0}", "skill", label) for n, label in enumerate("ab" * 10)]
    table = pd.DataFrame(rows, columns=["photo_id", "set_id", "skill", "label"])
    skill_samples, reasons = samples(table, [row[0] for row in rows], {"skill": ["a", "b"], "other": ["x"]})
    assert skill_samples == {}
    assert reasons["skill"] == (
        "each label needs photos of at least 8 sets in the sample; too few of 'b'. Study more photos, or label more."
    )
    assert set(reasons) == {"skill", "other"}
