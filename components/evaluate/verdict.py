"""The verdict: gates compared with what was measured, and the reason in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coachworks.bootstrap import Interval
from components.evaluate.report import Gate

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a skill has to keep to.

    Attributes:
        min_balanced_accuracy: Least balanced accuracy; None is not checked.
        max_expected_calibration_error: Largest error after calibration; None is not checked.
        critical: Whether every warning is a failure.
    """

    min_balanced_accuracy: float | None = None
    max_expected_calibration_error: float | None = None
    critical: bool = False


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the verdict is about: the numbers, the labels, the confusion matrix (K, K), learnt photos per label."""

    labels: Sequence[str]
    confusion: Array
    balanced_accuracy: Interval
    expected_calibration_error: float
    learnt_photos: Mapping[str, int]
    validation_photos: int


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How it came out."""

    status: Literal["passed", "failed"]
    reason: str
    gates: Sequence[Gate]
    warnings: Sequence[str]


def judge(rules: Rules, measured: Measured) -> Verdict:
    """Compare the numbers with the gates.

    A gate looks at the number itself. That the lower end of its interval lies below the gate is a warning: the
    skill may be worse than the gate, and more test photos would tell. For a critical skill warnings are failures, so
    that its interval must lie above the gate as a whole.
    """
    gates, failures = [], []
    value, low, high = (getattr(measured.balanced_accuracy, name) for name in ("value", "low", "high"))
    warnings = _warnings_about_photos(measured)
    if (limit := rules.min_balanced_accuracy) is not None:
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
    if (limit := rules.max_expected_calibration_error) is not None:
        error = measured.expected_calibration_error
        gates.append(Gate(gate="max_expected_calibration_error", limit=limit, value=error, passed=error <= limit))
        if error > limit:
            failures.append(
                f"the expected calibration error {_number(error, limit)} is above the gate {limit:g}; it was "
                f"calibrated on {measured.validation_photos} validation photos and measured on "
                f"{int(measured.confusion.sum())} test photos: more of them would help"
            )
    if rules.critical and warnings:
        failures.append(f"it is critical, so every warning is a failure: {'; '.join(warnings)}")
    if failures:
        return Verdict(status="failed", reason=". ".join(map(_sentence, failures)), gates=gates, warnings=warnings)
    told = f"balanced accuracy {value:.3f} (interval {low:.3f} to {high:.3f})"
    passed = f"{told}; it clears every gate" if gates else f"{told}; no gate is set"
    return Verdict(status="passed", reason=_sentence(passed), gates=gates, warnings=warnings)


def _warnings_about_photos(measured: Measured) -> list[str]:
    absent = [label for label, row in zip(measured.labels, measured.confusion, strict=True) if not row.sum()]
    if not absent:
        return []
    names = ", ".join(repr(label) for label in absent)
    return [f"no test photo carries {names}: how well it is told is unknown, and the balanced accuracy leaves it out"]


def _advice(measured: Measured) -> str:
    """Which confusion costs most, and which photos would help; empty where no label is confused."""
    wrong = np.array(measured.confusion, np.int64)
    np.fill_diagonal(wrong, 0)
    total = int(wrong.sum())
    if not total:
        return ""
    pairs = wrong + wrong.T
    first, second = (int(index) for index in np.unravel_index(pairs.argmax(), pairs.shape))
    left, right = sorted((measured.labels[first], measured.labels[second]), key=list(measured.labels).index)
    needy = min((left, right), key=lambda label: measured.learnt_photos.get(label, 0))
    return (
        f"; {int(pairs[first, second])} of {total} mistakes confuse {left!r} with {right!r}. Look at those photos "
        f"first: are their labels right? Then more photos of {needy!r} "
        f"({measured.learnt_photos.get(needy, 0)} to train on), or one label for both, would help"
    )


def _number(value: float, limit: float) -> str:
    """The value with as many digits as it takes to see on which side of the limit it lies."""
    for digits in range(3, 7):
        text = f"{value:.{digits}f}"
        if float(text) != limit:
            return text
    return repr(value)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
