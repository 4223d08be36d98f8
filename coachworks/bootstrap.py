"""How sure a measured number is: bootstrap confidence intervals that draw sets of photos, not photos."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.scores import Tally, resampled

Array = NDArray[Any]
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A number and where it lies with the chosen confidence; NaN where nothing is known."""

    value: float
    low: float
    high: float


def intervals(by_set: Tally, *, replicates: int, confidence: float, seed: int) -> dict[str, list[Interval]]:
    """Every metric with its interval.

    Args:
        by_set: Tallies per set, from `coachworks.scores.tally_by_set`; at least one set.
        replicates: Bootstrap replicates.
        confidence: Of the intervals, in (0, 1).
        seed: Seed of the draws.

    Returns:
        `balanced_accuracy`, `macro_f1`, `accuracy`: one interval; `precision`, `recall`, `f1`: one per label.
    """
    whole = Tally(*(counts.sum(0) for counts in _counts(by_set)))
    drawn = resampled(by_set, replicates, seed)
    left_out = Tally(*(counts.sum(0) - counts for counts in _counts(by_set)))
    # how many sets have a say in a number: all of them, those of the label, those answered with it
    sets = len(by_set.true)
    says = {
        "precision": (by_set.answered > 0).sum(0),
        "recall": (by_set.true > 0).sum(0),
        "f1": ((by_set.true > 0) | (by_set.answered > 0)).sum(0),
    }
    values, copies, jackknife = _metrics(whole), _metrics(drawn), _metrics(left_out)
    return {
        name: [
            bca(
                float(value),
                copies[name][:, column],
                jackknife[name][:, column],
                confidence=confidence,
                evidence=int(says[name][column]) if name in says else sets,
            )
            for column, value in enumerate(values[name])
        ]
        for name in values
    }


def bca(value: float, replicates: Array, jackknife: Array, *, confidence: float, evidence: int) -> Interval:
    """The bias-corrected and accelerated interval of Efron (1987, doi:10.1080/01621459.1987.10478410).

    Accuracies near 1 have skewed distributions; this interval follows the skew where the plain percentiles do not.
    A number without any spread, because everything (or nothing) was right, gets the exact binomial bound for
    `evidence` independent trials (Clopper & Pearson, 1934) instead of the false certainty of an interval of width 0.

    Args:
        value: The number measured.
        replicates: The number on bootstrap replicates, shape (R,); NaN where a replicate cannot tell.
        jackknife: The number with each set left out, shape (sets,); NaN likewise.
        confidence: In (0, 1).
        evidence: Number of sets that have a say in it.
    """
    from scipy.special import ndtr, ndtri

    if np.isnan(value):
        return Interval(value, float("nan"), float("nan"))
    tail = (1 - confidence) / 2
    known = np.sort(replicates[~np.isnan(replicates)])
    if not len(known) or np.isclose(known[0], known[-1], rtol=0, atol=1e-12):
        bound = tail ** (1 / max(evidence, 1))
        if np.isclose(value, 1):
            return Interval(value, bound, 1.0)
        if np.isclose(value, 0):
            return Interval(value, 0.0, 1 - bound)
        return Interval(value, 0.0, 1.0)
    below = (np.count_nonzero(known < value) + 0.5 * np.count_nonzero(known == value)) / len(known)
    bias = float(ndtri(np.clip(below, 1 / len(known), 1 - 1 / len(known))))
    deviations = jackknife[~np.isnan(jackknife)]
    deviations = deviations.mean() - deviations if len(deviations) else np.zeros(1)
    spread = float((deviations**2).sum()) ** 1.5
    acceleration = float((deviations**3).sum()) / (6 * spread) if spread > 0 else 0.0
    quantiles = []
    for share in (tail, 1 - tail):
        shifted = bias + float(ndtri(share))
        quantiles.append(float(ndtr(bias + shifted / max(1 - acceleration * shifted, 1e-3))))
    low, high = np.quantile(known, quantiles)
    return Interval(value, min(float(low), value), max(float(high), value))


def _counts(by_set: Tally) -> tuple[Doubles, Doubles, Doubles]:
    return by_set.right, by_set.true, by_set.answered


def _metrics(counts: Tally) -> Mapping[str, Doubles]:
    """The metrics along the last axis: of length 1, or one per label."""
    return {
        "balanced_accuracy": counts.balanced_accuracy[..., None],
        "macro_f1": counts.macro_f1[..., None],
        "accuracy": counts.accuracy[..., None],
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
    }
