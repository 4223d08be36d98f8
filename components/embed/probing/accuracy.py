"""Accuracy that a backbone's features give each skill, out of fold."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.feature_groups import nested, select
from components.augment.held_out import out_of_fold, standardised
from components.embed.probing.sample import Sample

Array = NDArray[Any]


def balanced_accuracies(
    sample: Sample, features: Array, group_sizes: Mapping[str, int], *, replicates: int, seed: int
) -> dict[str, tuple[float, Array]]:
    """Return each skill's balanced accuracy, and that of bootstrap samples of its sets, shape (replicates,).

    Heads are trained on the photos of all folds but one, and answer that one. As in training, each skill reads the set
    of feature groups that suits it, here the most accurate one. It is chosen on the same photos, for every backbone
    alike, so that accuracies are slightly too high and their differences are not.

    The same seed draws the same sets for every backbone: differences between backbones are paired.

    Args:
        sample: The photos.
        features: The groups side by side, shape (N, D).
        group_sizes: Numbers per photo of each group.
        replicates: Number of bootstrap samples.
        seed: Seed of the bootstrap.
    """
    from coachworks.bootstrap import resampled
    from coachworks.scores import tally, tally_by_set

    inner = [_inner_products(select(features, group_sizes, groups)) for groups in nested(group_sizes)]
    result = {}
    for skill, own in sample.skills.items():
        square, count = np.ix_(own.rows, own.rows), len(own.labels)
        answered = [out_of_fold(products[square], own.truth, count, own.folds) for products in inner]
        scored = [float(tally(own.truth, answers, count).balanced_accuracy) for answers in answered]
        best = int(np.argmax(scored))
        by_set = tally_by_set(own.truth, answered[best], count, own.sets)
        result[skill] = scored[best], resampled(by_set, replicates, seed).balanced_accuracy
    return result


def _inner_products(features: Array) -> Array:
    """Return the inner products of the photos' standardised features, with a constant one: shape (N, N)."""
    (scaled,) = standardised(features)
    return np.asarray(1 + scaled @ scaled.T)
