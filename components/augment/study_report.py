"""The report of a study: what each transform does to each skill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from coachworks.result import Measure

Verdict = Literal["keeps", "shifts", "breaks", "exchanges"]
BREAKING = ("breaks", "exchanges")  # verdicts of transforms whose views a skill does not learn from as they are


@dataclass(frozen=True, kw_only=True)
class Move:
    """Photos of one label that a head takes for another label once they are transformed.

    Attributes:
        label: Their label.
        answered: The answer to the transformed photos.
        photos: Number of transformed photos with that answer.
        of: Number of photos with that label.
        most: Whether the answer is at least as frequent as the label.
    """

    label: str
    answered: str
    photos: int
    of: int
    most: bool


@dataclass(frozen=True, kw_only=True)
class Gain:
    """Gain in balanced accuracy on photos that were held out, with its standard error."""

    value: Measure
    standard_error: Measure


@dataclass(frozen=True, kw_only=True)
class TransformStudy:
    """Effect of one transform on one skill.

    Attributes:
        verdict: `keeps` the labels; `shifts` the answers of a head that has not seen such photos, but the labels hold;
            `breaks` some labels; or `exchanges` pairs of them exactly.
        gain: By training on the transformed photos as well, with their labels.
        transformed_accuracy: Balanced accuracy on transformed photos of a head that was trained on clean ones.
        moves: The labels that it shifts or breaks, each with the answer to the transformed photos.
        exchange: Label by label, where it exchanges pairs exactly.
        exchanged_gain: As `gain`, with the labels exchanged; None where nothing is exchanged.
    """

    verdict: Verdict
    gain: Gain
    transformed_accuracy: Measure
    moves: Sequence[Move] = ()
    exchange: Mapping[str, str]
    exchanged_gain: Gain | None = None


@dataclass(frozen=True, kw_only=True)
class FramingStudy:
    """Effect of another framing of the photos on one skill.

    Attributes:
        gain: By training on the photos framed so, and answering photos framed so.
        balanced_accuracy: On held-out photos framed so, of a head trained on photos framed so.
        photos: Photos of the skill that it frames otherwise.
    """

    gain: Gain
    balanced_accuracy: Measure
    photos: int


@dataclass(frozen=True, kw_only=True)
class SkillStudy:
    """Effects of the transforms on one skill.

    Attributes:
        photos: Photos that it was studied on.
        reason: Why it could not be studied, and the way out; empty if it was.
        balanced_accuracy: On held-out clean photos, of a head trained on clean photos alone.
        transforms: The effects by transform.
        framings: The effects of other framings than the fleet's, by what they do, such as `crop to the box`.
    """

    photos: int
    reason: str = ""
    balanced_accuracy: Measure
    transforms: Mapping[str, TransformStudy]
    framings: Mapping[str, FramingStudy] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StudyReport:
    """A study of transforms.

    Attributes:
        photos: Photos in the sample, of the training and validation splits.
        declared: The transforms studied, in the form of the fleet file, by name.
        skills: Effects by skill.
    """

    STEP: ClassVar[str] = "study"

    photos: int
    declared: Mapping[str, Mapping[str, Any]]
    skills: Mapping[str, SkillStudy]


def moves_text(study: TransformStudy) -> str:
    """Return in words what a transform does to labels: `left ↔ right`, or `red → orange (18 of 20)`; else empty."""
    if study.exchange:
        return ", ".join(f"{label} ↔ {other}" for label, other in study.exchange.items() if label < other)
    return ", ".join(f"{move.label} → {move.answered} ({move.photos} of {move.of})" for move in study.moves)
