"""Start of fine-tuning: the skill's linear head, whose answers the untrained network gives exactly.

Kumar, Raghunathan, Jones, Ma & Liang, "Fine-tuning can distort pretrained features and underperform
out-of-distribution" (ICLR 2022, arXiv:2202.10054): with a random head the first steps spoil the features of the
network; with a fitted one they do not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coachworks.feature_groups import ACTIVATION, LAST, select

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Start:
    """A linear head, taken apart.

    Attributes:
        weight: Weights of the network's pooled output, float32, shape (K, L).
        bias: Biases, float32, shape (K,).
        frozen_weight: Weights of the other groups' numbers, which the frozen part of the backbone gives: shape (K, F).
        frozen: These groups.
    """

    weight: Floats
    bias: Floats
    frozen_weight: Floats
    frozen: tuple[str, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """Feature groups that the network reads."""
        return (*self.frozen, ACTIVATION)


def start_from(linear: Mapping[str, Floats], groups: Sequence[str], sizes: Mapping[str, int]) -> Start:
    """Take a linear head apart.

    Args:
        linear: Its arrays, `weight` (K, D) and `bias` (K,).
        groups: Feature groups that it reads, `last` among them.
        sizes: Numbers per photo of each group.
    """
    own = {group: sizes[group] for group in groups}
    frozen = tuple(group for group in groups if group != LAST)
    frozen_weight = select(linear["weight"], own, frozen) if frozen else np.empty((len(linear["bias"]), 0), np.float32)
    return Start(
        np.ascontiguousarray(select(linear["weight"], own, (LAST,))),
        linear["bias"],
        np.ascontiguousarray(frozen_weight),
        frozen,
    )
