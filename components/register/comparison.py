"""Champion against challenger on the same test photos: a paired bootstrap over sets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coachworks.bootstrap import bca, left_out, resampled, share_below
from coachworks.models.comparison import Comparison
from coachworks.scores import Tally, tally_by_set

_CONFIDENCE = 0.95


@dataclass(frozen=True, eq=False, kw_only=True)
class AnsweredPhotos:
    """Test photos that both the champion and the challenger answered; N is at least 1.

    Attributes:
        labels: True labels (N).
        sets: Set of each photo (N).
        champion: Answers of the champion (N).
        challenger: Answers of the challenger (N).
    """

    labels: Sequence[str]
    sets: Sequence[str]
    champion: Sequence[str]
    challenger: Sequence[str]


def compare(photos: AnsweredPhotos, *, champion_version: str, basis: str, replicates: int, seed: int) -> Comparison:
    """Compare the balanced accuracy of two classifiers by a paired bootstrap over sets.

    Both are scored on the same draws, so that the difficulty of a draw cancels out (Efron & Tibshirani, "An
    Introduction to the Bootstrap", 1993, chapters 8 and 13). The interval is the BCa one, as for every other number of
    a skill; the probability of being better is the plain share of the replicates.

    Args:
        photos: The photos with both answers.
        champion_version: Version of the champion.
        basis: Origin of the champion's answers, in words.
        replicates: Bootstrap replicates.
        seed: Seed of the draws.
    """
    # The champion may know other labels than the challenger: the vocabulary is that of the truth and of both.
    texts = [np.asarray(column, dtype=str) for column in (photos.labels, photos.champion, photos.challenger)]
    vocabulary, indices = np.unique(np.concatenate(texts), return_inverse=True)
    truth, champion, challenger = indices.reshape(3, -1)
    sets = np.asarray(photos.sets, dtype=str)
    old, new = (tally_by_set(truth, answers, len(vocabulary), sets) for answers in (champion, challenger))
    # the same seed gives both the same draws
    differences = _difference(resampled(new, replicates, seed), resampled(old, replicates, seed))
    difference = float(_difference(new.total, old.total))
    interval = bca(
        difference,
        differences,
        _difference(left_out(new), left_out(old)),
        confidence=_CONFIDENCE,
        evidence=len(old.true),
        bounds=(-1.0, 1.0),
    )
    return Comparison(
        champion_version=champion_version,
        champion=float(old.total.balanced_accuracy),
        challenger=float(new.total.balanced_accuracy),
        difference=difference,
        low=interval.low,
        high=interval.high,
        probability_better=1 - share_below(differences, 0),
        photos=len(truth),
        sets=len(old.true),
        basis=basis,
    )


def _difference(challenger: Tally, champion: Tally) -> NDArray[np.float64]:
    """Challenger's balanced accuracy minus the champion's."""
    return challenger.balanced_accuracy - champion.balanced_accuracy
