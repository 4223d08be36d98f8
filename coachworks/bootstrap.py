"""Confidence intervals by the bootstrap, which draws sets of photos instead of photos.

Photos of one set resemble one another: drawing them one by one would count the same evidence several times (Field &
Welsh, 2007, doi:10.1111/j.1467-9868.2007.00593.x, on the cluster bootstrap).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.result import Measure
from coachworks.scores import Tally

Array = NDArray[Any]
Doubles = NDArray[np.float64]

_DRAWS_PER_BLOCK = 4_000_000  # replicates × sets: 32 MB
_ROUNDING = 1e-12  # equal numbers differ by less, because they are summed in different orders


@dataclass(frozen=True)
class Interval:
    """A number and the ends of its confidence interval; NaN where nothing is known."""

    value: Measure
    low: Measure
    high: Measure


UNKNOWN = Interval(math.nan, math.nan, math.nan)


def resampled(by_set: Tally, replicates: int, seed: int) -> Tally:
    """Tallies of bootstrap replicates (Efron, 1979, doi:10.1214/aos/1176344552) that draw sets.

    Tallies of equally many sets that are resampled with the same seed see the same draws: their replicates are paired.

    Args:
        by_set: Tallies per set, from `coachworks.scores.tally_by_set`.
        replicates: Number of replicates; each draws as many sets as there are, with replacement.
        seed: Seed of the draws.

    Returns:
        Arrays of shape (replicates, K).
    """
    counts = np.concatenate([by_set.right, by_set.true, by_set.answered], axis=1)
    sums = np.concatenate([draws @ counts for draws in _draws(len(counts), replicates, seed)])
    right, true, answered = np.split(sums, 3, axis=1)
    return Tally(right, true, answered)


def _draws(sets: int, replicates: int, seed: int) -> Iterator[Doubles]:
    """Number of times that each set is drawn, in blocks of shape (≤ replicates, sets)."""
    rng = np.random.default_rng(seed)
    rows = max(1, _DRAWS_PER_BLOCK // max(sets, 1))
    for start in range(0, replicates, rows):
        count = min(rows, replicates - start)
        # One bincount for all replicates of the block: each has its own range of numbers.
        drawn = rng.integers(0, sets, (count, sets)) + sets * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * sets).reshape(count, sets).astype(np.float64)


def left_out(by_set: Tally) -> Tally:
    """Tallies of all photos but those of one set, for each set: the jackknife, arrays of shape (sets, K)."""
    total = by_set.total
    return Tally(total.right - by_set.right, total.true - by_set.true, total.answered - by_set.answered)


def share_below(values: Array, mark: float) -> float:
    """Share of the values that are below `mark`, ties counting half; NaN without values."""
    if not len(values):
        return float("nan")
    ties = np.abs(values - mark) <= _ROUNDING
    return float((np.count_nonzero((values < mark) & ~ties) + 0.5 * np.count_nonzero(ties)) / len(values))


def metric_intervals(by_set: Tally, *, replicates: int, confidence: float, seed: int) -> dict[str, list[Interval]]:
    """Every metric with its interval.

    Args:
        by_set: Tallies per set, from `coachworks.scores.tally_by_set`; at least one set.
        replicates: Bootstrap replicates.
        confidence: Confidence of the intervals, in (0, 1).
        seed: Seed of the draws.

    Returns:
        `balanced_accuracy`, `macro_f1`, `accuracy`: one interval; `precision`, `recall`, `f1`: one per label.
    """
    sets = len(by_set.true)
    evidence = {  # number of sets that a label's number rests on; the other metrics rest on all sets
        "precision": (by_set.answered > 0).sum(0),
        "recall": (by_set.true > 0).sum(0),
        "f1": ((by_set.true > 0) | (by_set.answered > 0)).sum(0),
    }
    values, copies = _metrics(by_set.total), _metrics(resampled(by_set, replicates, seed))
    jackknife = _metrics(left_out(by_set))
    return {
        name: [
            bca(
                float(value),
                copies[name][:, column],
                jackknife[name][:, column],
                confidence=confidence,
                evidence=int(evidence[name][column]) if name in evidence else sets,
            )
            for column, value in enumerate(values[name])
        ]
        for name in values
    }


def _metrics(tallies: Tally) -> Mapping[str, Doubles]:
    """The metrics along the last axis, which has length 1 or one entry per label."""
    return {
        "balanced_accuracy": tallies.balanced_accuracy[..., None],
        "macro_f1": tallies.macro_f1[..., None],
        "accuracy": tallies.accuracy[..., None],
        "precision": tallies.precision,
        "recall": tallies.recall,
        "f1": tallies.f1,
    }


def bca(
    value: float,
    replicates: Array,
    jackknife: Array,
    *,
    confidence: float,
    evidence: int,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Interval:
    """The bias-corrected and accelerated interval of Efron (1987, doi:10.1080/01621459.1987.10478410).

    Accuracies near 1, and differences between two good classifiers, have skewed distributions; this interval follows
    the skew, which the plain percentiles do not.

    Args:
        value: The measured number.
        replicates: The number on each bootstrap replicate, shape (R,); NaN where it is not defined.
        jackknife: The number with each set left out, shape (sets,); NaN likewise.
        confidence: Confidence of the interval, in (0, 1).
        evidence: Number of sets that the number rests on.
        bounds: Least and greatest value that the number can take.

    Returns:
        The interval, which contains `value`.
    """
    from scipy.special import ndtr, ndtri

    if np.isnan(value):
        return Interval(value, float("nan"), float("nan"))
    tail = (1 - confidence) / 2
    known = replicates[~np.isnan(replicates)]
    if not len(known) or np.ptp(known) <= _ROUNDING:
        return _without_spread(value, tail, evidence, bounds)
    # a share of 0 or 1 would be an infinite bias
    below = np.clip(share_below(known, value), 1 / len(known), 1 - 1 / len(known))
    bias, acceleration = float(ndtri(below)), _acceleration(jackknife[~np.isnan(jackknife)])
    quantiles = []
    for share in (tail, 1 - tail):
        shifted = bias + float(ndtri(share))
        # the divisor reaches 0 only under extreme skew; the quantile is then at the end of the distribution
        quantiles.append(float(ndtr(bias + shifted / max(1 - acceleration * shifted, 1e-3))))
    low, high = np.quantile(known, quantiles)
    return Interval(value, min(float(low), value), max(float(high), value))


def _acceleration(jackknife: Doubles) -> float:
    """Rate at which the standard error changes with the number, a sixth of the skewness of the jackknife; else 0."""
    if not len(jackknife):
        return 0.0
    deviations = jackknife.mean() - jackknife
    spread = float((deviations**2).sum()) ** 1.5
    return float((deviations**3).sum()) / (6 * spread) if spread > 0 else 0.0


def _without_spread(value: float, tail: float, evidence: int, bounds: tuple[float, float]) -> Interval:
    """Interval of a number that is the same on every replicate, where the bootstrap would claim certainty.

    If all `evidence` sets behave alike, at most this share of all sets behaves otherwise: the exact binomial bound of
    Clopper & Pearson (1934, doi:10.1093/biomet/26.4.404) for no success in `evidence` trials. In the worst case the
    number of those sets is at one of the bounds.
    """
    otherwise = 1 - tail ** (1 / max(evidence, 1))
    lowest, highest = bounds
    return Interval(value, value - otherwise * (value - lowest), value + otherwise * (highest - value))
