"""Answers to held-out photos, by heads that train in milliseconds: enough to compare transforms, not to serve."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

FOLDS = 5
# Of the mean squared length of a photo's features. From 0.03 to 3 the balanced accuracy of 300 photos of trashnet stays
# within 0.71 to 0.74.
_RIDGE = 0.3


@dataclass(frozen=True, eq=False)
class Products:
    """Inner products of the photos' standardised features, clean (c) and transformed (t), each (N, N)."""

    clean: Array
    mixed: Array  # rows: transformed photos, columns: clean ones
    transformed: Array


def standardised(clean: Array, *tables: Array) -> list[Array]:
    """Return tables of features, (N, D) each, scaled by mean and deviation of the clean ones."""
    mean, deviation = clean.mean(0, dtype=np.float64), clean.std(0, dtype=np.float64)
    scale = np.where(deviation > 0, deviation, 1) * np.sqrt(clean.shape[1])
    return [(table - mean) / scale for table in (clean, *tables)]


def products(clean: Array, transformed: Array) -> Products:
    """Return the inner products of standardised features, with one constant feature for the intercept."""
    return Products(1 + clean @ clean.T, 1 + transformed @ clean.T, 1 + transformed @ transformed.T)


def out_of_fold(inner: Array, truth: Array, labels: int, folds: Array) -> Array:
    """Answers to each photo of heads trained on the photos of the other folds.

    Args:
        inner: Inner products of N photos, (N, N).
        truth: Label indices, shape (N,).
        labels: Number of labels.
        folds: Fold of each photo, shape (N,); at least two.

    Returns:
        Label indices, shape (N,).
    """
    answers = np.empty(len(truth), np.int64)
    for fold in np.unique(folds):
        held, known = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        head = _head(inner[np.ix_(known, known)], truth[known], labels)
        answers[held] = (inner[np.ix_(held, known)] @ head).argmax(1)
    return answers


def clean_answers(inner: Products, truth: Array, labels: int, folds: Array) -> tuple[Array, Array]:
    """Answers to each photo, clean and transformed, of heads trained on the clean photos of the other folds.

    Args:
        inner: Inner products of N photos.
        truth: Label indices, shape (N,).
        labels: Number of labels.
        folds: Fold of each photo, shape (N,).

    Returns:
        Label indices, two of shape (N,).
    """
    clean, transformed = np.empty(len(truth), np.int64), np.empty(len(truth), np.int64)
    for fold in np.unique(folds):
        held, known = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        head = _head(inner.clean[np.ix_(known, known)], truth[known], labels)
        clean[held] = (inner.clean[np.ix_(held, known)] @ head).argmax(1)
        transformed[held] = (inner.mixed[np.ix_(held, known)] @ head).argmax(1)
    return clean, transformed


def augmented_answers(inner: Products, truth: Array, moved: Array, labels: int, folds: Array) -> Array:
    """Answers to each clean photo of heads trained on the other folds' clean photos and transformed photos.

    Args:
        inner: Inner products of N photos.
        truth: Label indices of the clean photos, shape (N,).
        moved: Label indices of the transformed photos, shape (N,).
        labels: Number of labels.
        folds: Fold of each photo, shape (N,).

    Returns:
        Label indices, shape (N,).
    """
    answers = np.empty(len(truth), np.int64)
    for fold in np.unique(folds):
        held, known = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        square = np.ix_(known, known)
        joined = np.block(
            [[inner.clean[square], inner.mixed[square].T], [inner.mixed[square], inner.transformed[square]]]
        )
        head = _head(joined, np.concatenate([truth[known], moved[known]]), labels)
        seen = np.concatenate([inner.clean[np.ix_(held, known)], inner.mixed[np.ix_(known, held)].T], axis=1)
        answers[held] = (seen @ head).argmax(1)
    return answers


def _head(inner: Array, truth: Array, labels: int) -> Array:
    """Coefficients (N, K) of ridge regression on one-hot labels that weigh alike, in its dual form.

    Saunders, Gammerman & Vovk, "Ridge regression learning algorithm in dual variables" (ICML 1998): with far more
    features than photos, the system has the size of the photos.
    """
    from scipy.linalg import solve

    counts = np.bincount(truth, minlength=labels)
    weights = len(truth) / (np.count_nonzero(counts) * counts[truth])
    return np.asarray(solve(inner + np.diag(_RIDGE / weights), np.eye(labels)[truth] * 2 - 1, assume_a="pos"))
