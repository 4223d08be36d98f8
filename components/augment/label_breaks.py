"""Labels that a transform breaks, from answers to clean and to transformed photos."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.bootstrap import resampled
from coachworks.scores import tally, tally_by_set
from components.augment.study_report import Gain, Move, Verdict

Array = NDArray[Any]

REPLICATES = 500
_SIGNIFICANT = 2.33  # standard errors: 1 % of the transforms that change nothing would exceed it
_LARGE = 0.25  # share of a label's photos that must move if most of them stay


@dataclass(frozen=True, eq=False, kw_only=True)
class Answered:
    """Answers of heads that were trained on clean photos, to the same N photos; all label indices, shape (N,).

    Attributes:
        truth: The labels.
        clean: Answers to the clean photos.
        transformed: Answers to the transformed photos.
        sets: Set of each photo.
    """

    truth: Array
    clean: Array
    transformed: Array
    sets: Array


def moved(answered: Answered, labels: Sequence[str]) -> list[Move]:
    """Return the labels whose photos a transform moves to another answer, with that answer.

    More photos must move to it than back, by more than chance, and either it is then at least as frequent as the
    label, or a quarter of the photos move. Photos of one set count as one piece of evidence.
    """
    moves = []
    for label, name in enumerate(labels):
        photos = answered.truth == label
        for other, answer in enumerate(labels):
            if other == label or not photos.any():
                continue
            drift, certainty = _drift(answered, label, other)
            there, stayed = (int((answered.transformed[photos] == place).sum()) for place in (other, label))
            if drift > 0 and certainty >= _SIGNIFICANT and (there >= stayed or drift >= _LARGE):
                moves.append(
                    Move(label=name, answered=answer, photos=there, of=int(photos.sum()), most=there >= stayed)
                )
    return moves


def verdict_of(moves: Sequence[Move], kept: Gain) -> Verdict:
    """Return whether moves are a matter of the labels or of the head.

    Photos that a head answers otherwise once they are transformed may still have their label, if it has never seen such
    photos. Training on them tells: it teaches the head if the labels hold, and makes it worse if they do not.

    Args:
        moves: From `moved`.
        kept: Gain by training on the transformed photos with their labels.
    """
    most = any(move.most for move in moves)
    if moves and kept.value < -(1 if most else 2) * kept.standard_error:
        return "breaks"
    return "shifts" if most else "keeps"


def partners(answered: Answered, labels: Sequence[str], moves: Sequence[Move]) -> dict[str, str]:
    """Return the pairs of labels that a transform may exchange, both ways round; empty if it is no exchange.

    Every label that moves must have a partner that moves the other way, and the photos of all others must mostly stay.
    """
    there = {move.label: move.answered for move in moves if move.most}
    counts = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(counts, (answered.truth, answered.transformed), 1)
    most = {name: labels[int(row.argmax())] for name, row in zip(labels, counts, strict=True) if row.any()}
    # evidence for one pair makes it likely that labels of few photos that move alike are pairs, too
    answer_of = {**most, **there} if there else {}
    pairs = {label: other for label, other in answer_of.items() if label != other}
    both_ways = all(pairs.get(other) == label for label, other in pairs.items())
    return pairs if both_ways else {}


def gain(truth: Array, before: Array, after: Array, labels: int, sets: Array) -> Gain:
    """Return the gain in balanced accuracy from one table of answers to another, with its standard error.

    The standard error is that of a bootstrap of the sets in which both see the same draws.
    """
    first, second = (tally_by_set(truth, answers, labels, sets) for answers in (before, after))
    value = tally(truth, after, labels).balanced_accuracy - tally(truth, before, labels).balanced_accuracy
    copies = [resampled(table, REPLICATES, 0).balanced_accuracy for table in (first, second)]
    return Gain(value=float(value), standard_error=float(np.std(copies[1] - copies[0], ddof=1)))


def _drift(answered: Answered, label: int, other: int) -> tuple[float, float]:
    """Share of a label's photos that move to another answer, less those that move back, and its standard errors."""
    photos = answered.truth == label
    clean, transformed = answered.clean[photos], answered.transformed[photos]
    moved = ((clean == label) & (transformed == other)).astype(np.float64)
    moved -= (clean == other) & (transformed == label)
    by_set = np.bincount(np.unique(answered.sets[photos], return_inverse=True)[1], weights=moved)
    spread = float(np.sqrt((by_set**2).sum()))
    return float(moved.mean()), float(by_set.sum()) / spread if spread else 0.0
