"""The report of evaluate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from coachworks.bootstrap import Interval


@dataclass(frozen=True, kw_only=True)
class LabelReport:
    """Precision, recall and F1 of one label with intervals, and its number of test photos."""

    precision: Interval
    recall: Interval
    f1: Interval
    support: int


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A test photo with a wrong answer.

    Attributes:
        photo_id: The photo.
        label: Its true label.
        predicted: The predicted label.
        confidence: The answer's probability.
        sensible: Whether the two labels are in one `similar` group.
    """

    photo_id: str
    label: str
    predicted: str
    confidence: float
    sensible: bool


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A condition: its limit, the measured value, and whether it holds."""

    gate: str
    limit: float
    value: float
    passed: bool


@dataclass(frozen=True, kw_only=True)
class SkillReport:
    """The verdict on one skill; of a dropped skill only status, reason and labels are known.

    Attributes:
        status: `passed`, `failed` by a gate, or `dropped` because it could not be judged.
        reason: Reason of the status in words, and what to do.
        labels: The possible answers.
        winner: The candidate that was judged.
        photos: Labelled test photos.
        sets: Sets that they belong to.
        balanced_accuracy: Mean recall of the labels that occur in the test split.
        macro_f1: Mean F1 of the labels.
        accuracy: Share of right answers.
        per_label: Each label's numbers.
        confusion: Photos by true label (rows) and answer (columns).
        ece_before: Expected calibration error with temperature 1.
        ece_after: Expected calibration error with the head's temperature.
        temperature: Divisor of the logits; from train.
        log_loss: Mean of -log(probability of the true label), in nats, with the head's temperature.
        sensible_mistakes: Mistakes within a `similar` group.
        silly_mistakes: All other mistakes.
        gates: The conditions and their outcomes.
        warnings: Warnings for the reader; a critical skill with warnings fails.
        mistakes: The worst mistakes, the most confident first.
        head_digest: SHA-256 of `head.safetensors`.
    """

    status: Literal["passed", "failed", "dropped"]
    reason: str
    labels: Sequence[str]
    winner: str | None = None
    photos: int = 0
    sets: int = 0
    balanced_accuracy: Interval | None = None
    macro_f1: Interval | None = None
    accuracy: Interval | None = None
    per_label: Mapping[str, LabelReport] | None = None
    confusion: Sequence[Sequence[int]] = ()
    ece_before: float | None = None
    ece_after: float | None = None
    temperature: float | None = None
    log_loss: float | None = None
    sensible_mistakes: int = 0
    silly_mistakes: int = 0
    gates: Sequence[Gate] = ()
    warnings: Sequence[str] = ()
    mistakes: Sequence[Mistake] = ()
    head_digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluateReport:
    """The verdicts, by skill."""

    STEP: ClassVar[str] = "evaluate"

    skills: Mapping[str, SkillReport]
