"""Examples for people to look at: the worst mistakes, and right answers of every label."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def similar_pairs(labels: Sequence[str], groups: Sequence[Sequence[str]]) -> NDArray[np.bool_]:
    """Return whether two labels are in one group, shape (K, K), symmetric; the diagonal is False."""
    pairs = np.zeros((len(labels), len(labels)), bool)
    index = {label: position for position, label in enumerate(labels)}
    for group in groups:
        members = [index[label] for label in group if label in index]
        pairs[np.ix_(members, members)] = True
    np.fill_diagonal(pairs, False)
    return pairs


def worst_mistakes(answers: Array, predicted: Array, confidence: Array, similar: Array) -> NDArray[np.int64]:
    """Positions of the wrong answers, silly ones before sensible ones, the most confident first.

    Args:
        answers: True label indices, shape (N,).
        predicted: Answered label indices, shape (N,).
        confidence: Probability of each answer, shape (N,).
        similar: True for labels whose confusion is sensible, shape (K, K).
    """
    wrong = np.flatnonzero(answers != predicted)
    sensible = similar[answers[wrong], predicted[wrong]]
    order = np.lexsort((wrong, -confidence[wrong], sensible))
    return np.asarray(wrong[order], np.int64)


def right_answers(answers: Array, predicted: Array, confidence: Array, count: int) -> NDArray[np.int64]:
    """Positions of at most `count` right answers, from all labels in turn, the most confident first."""
    right = np.flatnonzero(answers == predicted)
    right = right[np.lexsort((right, -confidence[right]))]
    turns = np.zeros(len(right), np.int64)
    seen: dict[int, int] = {}
    for position, label in enumerate(answers[right].tolist()):
        turns[position] = seen.get(label, 0)
        seen[label] = turns[position] + 1
    order = np.lexsort((answers[right], turns))
    return np.asarray(right[order][:count], np.int64)
