"""Feature groups: the kinds of number that one pass of the backbone gives, and where each lies in a table of features.

`last` is the pooled output of the last layer. The others describe the map of each block (or stage, or layer), whose
numbers lie side by side, first block first: the class token of a transformer, the average of each channel, its
standard deviation, and its averages in the 2 × 2 quarters of the map. They come from the pass that is paid for anyway
(Evci, Dumoulin, Larochelle & Mozer, "Head2Toe: Utilizing intermediate representations for better transfer learning",
ICML 2022, arXiv:2201.03529).

`activation` is no description of the photo but the input of the backbone's last blocks, which fine-tuned heads train
anew. It is kept only where a skill asks for such a head.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.errors import DataError

LAST = "last"
CLASS, MEAN, STD, CELLS = "blocks-class", "blocks-mean", "blocks-std", "blocks-cells"
GROUPS = (LAST, CLASS, MEAN, STD, CELLS)  # the order in which they are stored and tried
ACTIVATION = "activation"


def ordered(groups: Iterable[str]) -> tuple[str, ...]:
    """Return feature groups in their order, each once.

    >>> ordered(["blocks-std", "last", "blocks-std"])
    ('last', 'blocks-std')
    """
    names = set(groups)
    return tuple(group for group in (*GROUPS, ACTIVATION) if group in names)


def total(sizes: Mapping[str, int], groups: Sequence[str]) -> int:
    """Return the numbers per photo of some groups together.

    Args:
        sizes: Numbers per photo of each group that there is.
        groups: The wanted groups.

    Raises:
        DataError: one of them is not there.
    """
    missing = [group for group in groups if group not in sizes]
    if missing:
        raise DataError(
            f"feature groups must be among {', '.join(sizes)}, which the backbone's pass gave; got "
            f"{', '.join(missing)}. Embed the photos with `--feature-groups all`, or train without them."
        )
    return sum(sizes[group] for group in groups)


def select(features: NDArray[Any], sizes: Mapping[str, int], groups: Sequence[str]) -> NDArray[Any]:
    """Return the columns of some groups, in the order of `groups`.

    Args:
        features: Shape (N, D), all groups of `sizes` side by side, in the order of `sizes`.
        sizes: Numbers per photo of each group of the table, in its order.
        groups: The wanted groups.
    """
    total(sizes, groups)
    if tuple(groups) == tuple(sizes):
        return features
    ends = dict(zip(sizes, np.cumsum(list(sizes.values())), strict=True))
    parts = [features[:, ends[group] - sizes[group] : ends[group]] for group in groups]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def nested(sizes: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the sets of groups that a skill chooses from: each holds one group more than that before it.

    >>> nested(["last", "blocks-mean", "blocks-std"])
    [('last',), ('last', 'blocks-mean'), ('last', 'blocks-mean', 'blocks-std')]
    >>> nested(["last", "activation"])
    [('last',)]
    """
    names = tuple(name for name in ordered(sizes) if name != ACTIVATION)
    return [names[:count] for count in range(1, len(names) + 1)]
