"""Effects of transforms on skills, from the features of a sample of photos."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coachworks.scores import tally
from components.augment.held_out import (
    FOLDS,
    augmented_answers,
    clean_answers,
    out_of_fold,
    products,
    standardised,
)
from components.augment.label_breaks import Answered, gain, moved, partners, verdict_of
from components.augment.study_report import FramingStudy, SkillStudy, TransformStudy

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

FEWEST = 8  # photos of a label, from so many sets: with fewer no move is more than chance


@dataclass(frozen=True, eq=False)
class Sample:
    """The photos of one skill in the sample.

    Attributes:
        rows: Places of its photos among those of the sample, shape (N,).
        truth: Label indices, shape (N,).
        sets: Set of each photo as an index, shape (N,).
        labels: Names of the labels.
    """

    rows: Array
    truth: Array
    sets: Array
    labels: Sequence[str]


def samples(
    table: "pd.DataFrame", photos: Sequence[str], vocabulary: Mapping[str, Sequence[str]]
) -> tuple[dict[str, Sample], dict[str, str]]:
    """Return the photos of each skill that can be studied, and for every other skill the reason why it cannot.

    Args:
        table: Columns photo_id, set_id, skill, label.
        photos: Ids of the photos in the sample.
        vocabulary: Labels of each skill.
    """
    place = {photo: row for row, photo in enumerate(photos)}
    table = table[table["photo_id"].isin(place)]
    skill_samples: dict[str, Sample] = {}
    reasons: dict[str, str] = {}
    for skill, labels in vocabulary.items():
        own = table[table["skill"] == skill]
        sets = own.groupby("label")["set_id"].nunique()
        few = [label for label in labels if sets.get(label, 0) < FEWEST]
        if len(own) == 0 or few:
            names = ", ".join(repr(label) for label in few)
            reasons[skill] = (
                f"each label needs photos of at least {FEWEST} sets in the sample; too few of {names}. "
                "Study more photos, or label more."
            )
            continue
        index = {label: number for number, label in enumerate(labels)}
        set_index = {name: number for number, name in enumerate(sorted(own["set_id"].unique()))}
        skill_samples[skill] = Sample(
            rows=np.array([place[photo] for photo in own["photo_id"]]),
            truth=np.array([index[label] for label in own["label"]]),
            sets=np.array([set_index[name] for name in own["set_id"]]),
            labels=tuple(labels),
        )
    return skill_samples, reasons


def effects(
    clean: Array, transformed: Iterable[tuple[str, Array]], skill_samples: Mapping[str, Sample]
) -> dict[str, SkillStudy]:
    """Return the effects of each transform on each skill.

    Args:
        clean: Features of the sample's photos, shape (N, D).
        transformed: Name of each transform, and the features of the transformed photos, shape (N, D).
        skill_samples: The skills' photos.
    """
    rows: dict[str, dict[str, TransformStudy]] = {skill: {} for skill in skill_samples}
    accuracy: dict[str, float] = {}
    for name, features in transformed:
        scaled = standardised(clean, features)
        for skill, sample in skill_samples.items():
            rows[skill][name], accuracy[skill] = _effect(scaled[0][sample.rows], scaled[1][sample.rows], sample)
    return {
        skill: SkillStudy(
            photos=len(sample.rows), balanced_accuracy=accuracy.get(skill, float("nan")), transforms=rows[skill]
        )
        for skill, sample in skill_samples.items()
    }


def framing_effects(
    current: Array, framed: Array, changed: Array, skill_samples: Mapping[str, Sample]
) -> dict[str, FramingStudy]:
    """Return the effect of another framing of the photos on each skill.

    Args:
        current: Features of the sample's photos as the fleet frames them, shape (N, D).
        framed: Features of the same photos, framed otherwise, shape (N, D).
        changed: Whether the other framing differs for a photo, bool, shape (N,).
        skill_samples: The skills' photos.
    """
    studied = {}
    for skill, sample in skill_samples.items():
        folds, count = _folds(sample.sets), len(sample.labels)
        before, after = (
            out_of_fold(products(scaled, scaled).clean, sample.truth, count, folds)
            for table in (current, framed)
            for scaled in standardised(table[sample.rows])
        )
        studied[skill] = FramingStudy(
            gain=gain(sample.truth, before, after, count, sample.sets),
            balanced_accuracy=float(tally(sample.truth, after, count).balanced_accuracy),
            photos=int(changed[sample.rows].sum()),
        )
    return studied


def _effect(clean: Array, features: Array, sample: Sample) -> tuple[TransformStudy, float]:
    count, truth, sets = len(sample.labels), sample.truth, sample.sets
    folds = _folds(sets)
    inner = products(clean, features)
    before, changed = clean_answers(inner, truth, count, folds)
    after = augmented_answers(inner, truth, truth, count, folds)
    kept = gain(truth, before, after, count, sets)
    answered = Answered(truth=truth, clean=before, transformed=changed, sets=sets)
    moves = moved(answered, sample.labels)
    verdict = verdict_of(moves, kept)
    exchange = partners(answered, sample.labels, moves) if verdict == "breaks" else {}
    swapped = None
    if exchange:
        index = {label: number for number, label in enumerate(sample.labels)}
        partner = np.array([index[exchange.get(label, label)] for label in sample.labels])
        swapped = gain(truth, before, augmented_answers(inner, truth, partner[truth], count, folds), count, sets)
        # an exchange is exact if training on it is as harmless as that of any transform that keeps the labels
        exchange = exchange if swapped.value >= -2 * swapped.standard_error else {}
    study = TransformStudy(
        verdict="exchanges" if exchange else verdict,
        gain=kept,
        transformed_accuracy=float(tally(truth, changed, count).balanced_accuracy),
        moves=() if verdict == "keeps" else tuple(moves),
        exchange=exchange,
        exchanged_gain=swapped if exchange else None,
    )
    return study, float(tally(truth, before, count).balanced_accuracy)


def _folds(sets: Array) -> Array:
    """Fold of each photo: sets in a pseudo-random order, dealt out one by one."""
    order = sorted(np.unique(sets), key=lambda number: hashlib.sha256(str(number).encode()).digest())
    fold = {number: place % FOLDS for place, number in enumerate(order)}
    return np.array([fold[number] for number in sets])
