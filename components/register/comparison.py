"""Champion against challenger on the same test photos: a paired bootstrap over sets."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.models.comparison import Comparison


def compare(
    labels: Sequence[str],
    sets: Sequence[str],
    champion: Sequence[str],
    challenger: Sequence[str],
    *,
    champion_version: str,
    basis: str,
    resamples: int,
    seed: int,
) -> Comparison:
    """Compare two classifiers' answers about the same photos.

    Sets, not photos, are drawn with replacement, since photos of one set are not independent; both classifiers are
    judged on the same draw, so that what makes a draw hard cancels out (Efron and Tibshirani, An Introduction to the
    Bootstrap, 1993, chapters 8 and 13). The interval is the percentile one.

    Args:
        labels: The truth, one per photo (N); N is at least 1.
        sets: The set of each photo (N).
        champion: The champion's answers (N).
        challenger: The challenger's answers (N).
        champion_version: The champion's version.
        basis: Where the champion's answers come from, in words.
        resamples: Draws.
        seed: Seed of the draws.
    """
    truth = np.asarray(labels, dtype=object)
    _, label_index = np.unique(truth.astype(str), return_inverse=True)
    _, set_index = np.unique(np.asarray(sets, dtype=str), return_inverse=True)
    shape = (int(set_index.max()) + 1, int(label_index.max()) + 1)

    def counts(of: NDArray[np.bool_]) -> NDArray[np.float64]:
        table = np.zeros(shape)
        np.add.at(table, (set_index, label_index), of)
        return table

    photos = counts(np.ones(len(truth), dtype=bool))
    right = {
        name: counts(np.asarray(answers, dtype=object) == truth)
        for name, answers in (("champion", champion), ("challenger", challenger))
    }
    ones = np.ones((1, shape[0]))
    draws = np.random.default_rng(seed).multinomial(shape[0], np.full(shape[0], 1 / shape[0]), size=resamples)
    observed = {name: float(_balanced(ones, table, photos)[0]) for name, table in right.items()}
    differences = _balanced(draws, right["challenger"], photos) - _balanced(draws, right["champion"], photos)
    low, high = np.quantile(differences, [0.025, 0.975])
    tie = np.abs(differences) < 1e-12  # sums in another order are no victory
    better = (np.count_nonzero((differences > 0) & ~tie) + 0.5 * np.count_nonzero(tie)) / resamples
    return Comparison(
        champion_version=champion_version,
        champion=observed["champion"],
        challenger=observed["challenger"],
        difference=observed["challenger"] - observed["champion"],
        low=float(low),
        high=float(high),
        probability_better=float(better),
        photos=len(truth),
        sets=shape[0],
        basis=basis,
    )


def _balanced(draws: NDArray[Any], right: NDArray[np.float64], photos: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean recall over the labels that a draw contains: shape (draws,)."""
    total = draws @ photos
    recall = np.divide(draws @ right, total, out=np.full(total.shape, np.nan), where=total > 0)
    return np.asarray(np.nanmean(recall, axis=1))
