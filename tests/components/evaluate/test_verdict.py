import numpy as np
import pytest

from coachworks.bootstrap import Interval
from coachworks.errors import InvalidConfigError
from components.evaluate.config import EvaluateConfig
from components.evaluate.examples import right_answers, similar_pairs, worst_mistakes
from components.evaluate.verdict import Criteria, LearntPhotos, Measured, judge


def measured(value=0.9, low=0.87, high=0.93, *, error=0.03, confusion=((9, 1), (1, 9)), labels=("a", "b")):
    return Measured(
        labels=labels,
        confusion=np.array(confusion),
        balanced_accuracy=Interval(value, low, high),
        expected_calibration_error=error,
        learnt=LearntPhotos(by_label={"a": 50, "b": 20}, calibration=40),
    )


def test_numbers_that_clear_the_gates_pass():
    verdict = judge(Criteria(min_balanced_accuracy=0.85, max_expected_calibration_error=0.05), measured())
    assert verdict.status == "passed"
    assert verdict.reason == "Balanced accuracy 0.900 (interval 0.870 to 0.930); it clears every gate"
    assert [(gate.gate, gate.limit, gate.passed) for gate in verdict.gates] == [
        ("min_balanced_accuracy", 0.85, True),
        ("max_expected_calibration_error", 0.05, True),
    ]
    assert not verdict.warnings


def test_without_gates_everything_passes_and_says_so():
    verdict = judge(Criteria(), measured(0.1, 0, 0.2))
    assert verdict.status == "passed"
    assert verdict.reason.endswith("; no gate is set")
    assert not verdict.gates


def test_an_accuracy_below_the_gate_fails_with_a_way_out():
    verdict = judge(Criteria(min_balanced_accuracy=0.85), measured(0.78, 0.7, 0.84, confusion=((30, 12), (6, 20))))
    assert verdict.status == "failed"
    assert verdict.reason == (
        "The balanced accuracy 0.780 is below the gate 0.85; 18 of 18 mistakes confuse 'a' with 'b'. Look at those "
        "photos first: are their labels right? Then more photos of 'b' (20 to train on), or one label for both, "
        "would help"
    )


def test_a_calibration_error_above_the_gate_fails_with_a_way_out():
    verdict = judge(Criteria(max_expected_calibration_error=0.02), measured())
    assert verdict.status == "failed"
    assert verdict.reason == (
        "The expected calibration error 0.030 is above the gate 0.02; it was calibrated on 40 photos and "
        "measured on 20 test photos: more of them would help"
    )


def test_a_number_that_just_misses_is_shown_with_enough_digits():
    assert "0.84996 is below the gate 0.85" in judge(Criteria(min_balanced_accuracy=0.85), measured(0.84996)).reason


def test_an_interval_that_reaches_below_the_gate_is_a_warning():
    verdict = judge(Criteria(min_balanced_accuracy=0.88), measured())
    assert verdict.status == "passed"
    (warning,) = verdict.warnings
    assert warning == (
        "the balanced accuracy 0.900 clears the gate 0.88, but may be as low as 0.870: "
        "more test photos would narrow the interval"
    )


def test_for_a_critical_skill_the_whole_interval_must_clear_the_gate():
    verdict = judge(Criteria(min_balanced_accuracy=0.88, critical=True), measured())
    assert verdict.status == "failed"
    assert verdict.reason.startswith("It is critical, so every warning is a failure: the balanced accuracy 0.900")
    assert judge(Criteria(min_balanced_accuracy=0.86, critical=True), measured()).status == "passed"


def test_a_label_without_test_photos_is_a_warning():
    verdict = judge(Criteria(), measured(confusion=((9, 1), (0, 0))))
    assert verdict.status == "passed"
    assert verdict.warnings == [
        "no test photo has the label 'b': its recall is unknown, and the balanced accuracy leaves it out"
    ]


def test_mistakes_within_a_group_are_sensible_whichever_way_round():
    pairs = similar_pairs(("a", "b", "c", "d"), [["a", "c"], ["c", "d", "gone"]])
    assert {tuple(sorted(pair)) for pair in np.argwhere(pairs).tolist()} == {(0, 2), (2, 3)}
    assert not pairs.diagonal().any()


def test_the_worst_mistakes_are_silly_and_sure():
    answers, predicted = np.array([0, 0, 1, 2, 2]), np.array([1, 0, 2, 0, 1])
    confidence = np.array([0.99, 0.9, 0.5, 0.6, 0.7])
    similar = similar_pairs(("a", "b", "c"), [["a", "b"]])
    assert worst_mistakes(answers, predicted, confidence, similar).tolist() == [4, 3, 2, 0]


def test_right_answers_show_every_label_in_turn():
    answers = np.array([0, 0, 0, 1, 2, 1])
    predicted = np.array([0, 0, 0, 1, 2, 0])
    confidence = np.array([0.7, 0.9, 0.8, 0.6, 0.5, 0.99])
    assert right_answers(answers, predicted, confidence, 4).tolist() == [1, 3, 4, 2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"replicates": 99}, "replicates must be an integer of at least 100; got 99"),
        ({"pictures": 0}, "pictures must be an integer of at least 1; got 0"),
        ({"confidence": 1.0}, r"confidence must be a number in \(0, 1\); got 1.0"),
    ],
)
def test_settings_that_break_their_rule_are_refused(changes, message):
    with pytest.raises(InvalidConfigError, match=message):
        EvaluateConfig(**changes)
