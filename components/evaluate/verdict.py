"""Verdict: comparison of the gates with the measured numbers, and the reason in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coachworks.bootstrap import Interval
from components.evaluate.report import Gate

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """Criteria of a skill's verdict, from the fleet file.

    Attributes:
        min_balanced_accuracy: Gate: least balanced accuracy; None for no gate.
        max_expected_calibration_error: Gate: largest error after calibration; None for no gate.
        critical: True if every warning is a failure.
        similar: Groups of labels whose confusion is a sensible mistake.
    """

    min_balanced_accuracy: float | None = None
    max_expected_calibration_error: float | None = None
    critical: bool = False
    similar: Sequence[Sequence[str]] = ()


@dataclass(frozen=True, kw_only=True)
class LearntPhotos:
    """Number of photos that a head was fitted on.

    Attributes:
        by_label: Training and validation photos of each label; a label without any may be missing.
        calibration: Photos that the correction of its probabilities was fitted on.
    """

    by_label: Mapping[str, int]
    calibration: int


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Measured numbers that a verdict depends on.

    Attributes:
        labels: The K labels.
        confusion: Test photos by true label (rows) and answer (columns), shape (K, K).
        balanced_accuracy: On the test photos.
        expected_calibration_error: On the test photos, after calibration.
        learnt: Photos that the head was fitted on.
    """

    labels: Sequence[str]
    confusion: Array
    balanced_accuracy: Interval
    expected_calibration_error: float
    learnt: LearntPhotos


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A skill's status, the reason in words, the gates and the warnings."""

    status: Literal["passed", "failed"]
    reason: str
    gates: Sequence[Gate]
    warnings: Sequence[str]


def judge(criteria: Criteria, measured: Measured) -> Verdict:
    """Compare the numbers with the gates.

    A gate is compared with the number itself. If the lower end of the number's interval is below the gate, there is a
    warning: the skill may be worse than the gate. For a critical skill warnings are failures, so its whole interval
    must be above the gate.
    """
    gates, failures = [], []
    value, low, high = (getattr(measured.balanced_accuracy, name) for name in ("value", "low", "high"))
    warnings = _warnings_about_photos(measured)
    if (limit := criteria.min_balanced_accuracy) is not None:
        gates.append(Gate(gate="min_balanced_accuracy", limit=limit, value=value, passed=value >= limit))
        if value < limit:
            failures.append(
                f"the balanced accuracy {_number(value, limit)} is below the gate {limit:g}{_advice(measured)}"
            )
        elif low < limit:
            warnings.append(
                f"the balanced accuracy {value:.3f} clears the gate {limit:g}, but may be as low as {low:.3f}: "
                "more test photos would narrow the interval"
            )
    if (limit := criteria.max_expected_calibration_error) is not None:
        error = measured.expected_calibration_error
        gates.append(Gate(gate="max_expected_calibration_error", limit=limit, value=error, passed=error <= limit))
        if error > limit:
            failures.append(
                f"the expected calibration error {_number(error, limit)} is above the gate {limit:g}; it was "
                f"calibrated on {measured.learnt.calibration} photos and measured on "
                f"{int(measured.confusion.sum())} test photos: more of them would help"
            )
    if criteria.critical and warnings:
        failures.append(f"it is critical, so every warning is a failure: {'; '.join(warnings)}")
    if failures:
        return Verdict(status="failed", reason=". ".join(map(_sentence, failures)), gates=gates, warnings=warnings)
    outcome = "it clears every gate" if gates else "no gate is set"
    reason = f"Balanced accuracy {value:.3f} (interval {low:.3f} to {high:.3f}); {outcome}"
    return Verdict(status="passed", reason=reason, gates=gates, warnings=warnings)


def _warnings_about_photos(measured: Measured) -> list[str]:
    absent = [label for label, row in zip(measured.labels, measured.confusion, strict=True) if not row.sum()]
    if not absent:
        return []
    names = ", ".join(repr(label) for label in absent)
    return [f"no test photo has the label {names}: its recall is unknown, and the balanced accuracy leaves it out"]


def _advice(measured: Measured) -> str:
    """Name the most frequent confusion and the photos that would help; empty where no label is confused."""
    wrong = np.array(measured.confusion, np.int64)
    np.fill_diagonal(wrong, 0)
    total = int(wrong.sum())
    if not total:
        return ""
    pairs = wrong + wrong.T
    first, second = (int(index) for index in np.unravel_index(pairs.argmax(), pairs.shape))
    left, right = sorted((measured.labels[first], measured.labels[second]), key=list(measured.labels).index)
    scarce = min((left, right), key=lambda label: measured.learnt.by_label.get(label, 0))
    return (
        f"; {int(pairs[first, second])} of {total} mistakes confuse {left!r} with {right!r}. Look at those photos "
        f"first: are their labels right? Then more photos of {scarce!r} "
        f"({measured.learnt.by_label.get(scarce, 0)} to train on), or one label for both, would help"
    )


def _number(value: float, limit: float) -> str:
    """Format the value with as many digits as show on which side of the limit it is."""
    for digits in range(3, 7):
        text = f"{value:.{digits}f}"
        if float(text) != limit:
            return text
    return repr(value)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
