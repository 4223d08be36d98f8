"""Batches of an epoch, drawn from the seed and the epoch's number alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from components.train.fine_tune.data import TuningData
from components.train.fine_tune.processes import own_share

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Batch:
    """This process's share of a batch: n of its `photos` photos.

    Attributes:
        activations: float32, shape (n, A).
        offsets: float32, shape (n, K).
        answers: int64, shape (n,).
        weights: float32, shape (n,).
        photos: Photos of the whole batch.
    """

    activations: "torch.Tensor"
    offsets: "torch.Tensor"
    answers: "torch.Tensor"
    weights: "torch.Tensor"
    photos: int


class Batches:
    """Batches of a skill's training photos, each in one of the views that it may be learnt from.

    Args:
        data: The data.
        seed: Seed of the order and the views.
        size: Greatest number of photos of a batch.
        device: Device of the batches.
    """

    def __init__(self, data: TuningData, seed: int, size: int, device: "torch.device") -> None:
        self._data, self._seed, self._device = data, seed, device
        self._usable = np.asarray(data.weights) > 0
        self._photos = np.flatnonzero(self._usable.any(0))
        self.count = max(1, -(-len(self._photos) // size))

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of an epoch."""
        random = np.random.default_rng([self._seed, number])
        order = random.permutation(self._photos)
        # the k-th usable view of each photo, k drawn evenly
        nth = np.floor(random.random(len(order)) * self._usable[:, order].sum(0))
        views = (np.cumsum(self._usable[:, order], axis=0) > nth).argmax(0)
        for rows in np.array_split(np.arange(len(order)), self.count):
            own = own_share(rows)
            yield self._batch(order[own], views[own], len(rows))

    def _batch(self, photos: NDArray[Any], views: NDArray[Any], whole: int) -> Batch:
        import torch

        data = self._data
        activations = np.empty((len(photos), data.activations[0].shape[1]), np.float32)
        for view in np.unique(views):
            seen = views == view
            activations[seen] = data.activations[view][data.rows[photos[seen]]]

        def placed(values: NDArray[Any]) -> torch.Tensor:
            return torch.from_numpy(values).to(self._device)

        return Batch(
            placed(activations),
            placed(data.offsets[views, photos]),
            placed(data.answers[views, photos]),
            placed(data.weights[views, photos]),
            whole,
        )
