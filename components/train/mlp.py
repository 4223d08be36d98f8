"""Candidate `mlp`: one hidden layer, fitted for all skills of a lane at once."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from components.train.candidate import Candidate, Chosen, Trial, best_trial
from components.train.config import TrainConfig
from components.train.lane import UNLABELLED, Lane
from components.train.reduction import Reduction
from components.train.torch_threads import cores_for

if TYPE_CHECKING:
    import torch

Array = NDArray[Any]

COMPONENTS = 256
HIDDEN = 48
EPOCHS = 60
CHECK_EVERY = 5
BATCH = 256
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-2
DROPOUT = 0.3


@dataclass(frozen=True, eq=False)
class _Snapshot:
    """One skill's network after some epochs: its trial, and its arrays (H, P), (H,), (K, H), (K,)."""

    trial: Trial
    arrays: list[Array]


def fit(lane: Lane, reduction: Reduction, config: TrainConfig, chosen: Chosen | None = None) -> dict[str, Candidate]:
    """Fit a small network per skill on clean photos and augmented views, all networks as one batched product.

    AdamW (Loshchilov & Hutter, 2019, arXiv 1711.05101) with dropout (Srivastava et al., 2014,
    https://jmlr.org/papers/v15/srivastava14a.html); each skill keeps the epoch with the best log loss on its validation
    photos (early stopping). With `chosen` there is no search: it holds the number of epochs of each skill.
    """
    kept = min(COMPONENTS, lane.train.shape[1])
    scale = np.sqrt(np.maximum(lane.train[:, :kept].var(0).max(), 1e-12))  # the first axis then has variance 1
    checks = range(CHECK_EVERY, EPOCHS + 1, CHECK_EVERY)
    epochs = [checks if chosen is None else (chosen[skill]["epochs"],) for skill in lane.skills]
    snapshots = _train(lane, kept, scale, epochs, config.seed)
    candidates = {}
    offset = reduction.offset.astype(np.float64)
    projection = reduction.projection[:, :kept].astype(np.float64) / scale
    for column, skill in enumerate(lane.skills):
        answers = lane.validation_answers[:, column]
        best, tried = best_trial([snapshot.trial for snapshot in snapshots[column]], answers)
        if not (answers != UNLABELLED).any():
            best = len(tried) - 1  # without validation photos there is no early stopping
        hidden, hidden_bias, weight, bias = snapshots[column][best].arrays
        folded = hidden.astype(np.float64) @ projection.T  # the head reads the features: the reduction is folded in
        candidates[skill] = Candidate(
            arrays={
                "hidden_weight": folded.astype(np.float32),
                "hidden_bias": (hidden_bias - folded @ offset).astype(np.float32),
                "weight": weight,
                "bias": bias,
            },
            logits=snapshots[column][best].trial.logits,
            parameters={
                **snapshots[column][best].trial.parameters,
                "hidden": HIDDEN,
                "components": kept,
                "views": len(lane.views),
                "dropout": DROPOUT,
                "learning_rate": LEARNING_RATE,
                "weight_decay": WEIGHT_DECAY,
            },
            tried=tried,
        )
    return candidates


def _train(lane: Lane, kept: int, scale: float, epochs: Sequence[Collection[int]], seed: int) -> list[list[_Snapshot]]:
    """Train the networks of all skills.

    Args:
        lane: The data.
        kept: Number of principal components to read.
        scale: Divisor of the components.
        epochs: For each skill, the epochs after which to take a snapshot.
        seed: Seed of the starting weights, of dropout and of the batches.

    Returns:
        The snapshots of each skill, in the order of its epochs.
    """
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    sizes = [len(labels) for labels in lane.labels.values()]
    network = _Network(kept, sizes, seed, device)
    validation = torch.from_numpy(lane.validation[:, :kept] / scale).to(device)
    batches = _Batches(lane, kept, scale, seed, device)
    optimiser = torch.optim.AdamW(network.parameters, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    snapshots: list[list[_Snapshot]] = [[] for _ in sizes]
    with cores_for(BATCH * network.hidden.numel()):
        for epoch in range(1, max(map(max, epochs)) + 1):
            for points, answers, weights in batches:
                log_probabilities = network(points, dropout=True).log_softmax(2)
                chosen = log_probabilities.gather(2, answers[:, :, None])[:, :, 0]
                optimiser.zero_grad()
                loss = -(chosen * weights).sum() / len(points)
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
            due = [column for column in range(len(sizes)) if epoch in epochs[column]]
            if not due:
                continue
            with torch.inference_mode():
                logits = network(validation, dropout=False).cpu().numpy()
            for column in due:
                trial = Trial({"epochs": epoch}, logits[column, :, : sizes[column]])
                snapshots[column].append(_Snapshot(trial, network.skill(column, sizes[column])))
    return snapshots


class _Batches:
    """Random batches of an epoch, each from the clean photos or from one of the views."""

    def __init__(self, lane: Lane, kept: int, scale: float, seed: int, device: "torch.device") -> None:
        import torch

        self._tables = [torch.from_numpy(table[:, :kept] / scale).to(device) for table in (lane.train, *lane.views)]
        # Photos of weight 0 have no answer: any label will do.
        self._answers = [torch.from_numpy(answers.clip(min=0)).to(device) for answers in lane.table_answers()]
        self._weights = [torch.from_numpy(weights * len(lane.train)).to(device) for weights in lane.table_weights()]
        self._random = np.random.default_rng(seed)
        self._device = device

    def __iter__(self) -> "Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]":
        """Yield points (n, P), answers (S, n) and weights (S, n)."""
        import torch

        photos = len(self._tables[0])
        for rows in np.array_split(self._random.permutation(photos), max(1, photos // BATCH)):
            batch = torch.from_numpy(rows).to(self._device)
            drawn = int(self._random.integers(len(self._tables)))
            yield self._tables[drawn][batch], self._answers[drawn][batch].T, self._weights[drawn][batch].T


class _Network:
    """S networks side by side; labels that a skill lacks have a bias of minus infinity, so their probability is 0."""

    def __init__(self, dimensions: int, sizes: list[int], seed: int, device: "torch.device") -> None:
        import torch

        self.generator = torch.Generator(device).manual_seed(seed)
        skills, labels = len(sizes), max(sizes)

        def start(*shape: int, fan_in: int) -> torch.Tensor:
            # He et al., 2015, arXiv 1502.01852: keeps the variance through a rectified layer
            drawn: torch.Tensor = torch.randn(*shape, generator=self.generator, device=device) * (2 / fan_in) ** 0.5
            drawn.requires_grad = True
            return drawn

        self.skills = skills
        self.hidden = start(dimensions, skills * HIDDEN, fan_in=dimensions)
        self.hidden_bias = torch.zeros(skills * HIDDEN, device=device, requires_grad=True)
        self.weight = start(skills, HIDDEN, labels, fan_in=HIDDEN)
        self.bias = torch.zeros(skills, 1, labels, device=device, requires_grad=True)
        self.absent = torch.zeros(skills, 1, labels, device=device)
        for skill, size in enumerate(sizes):
            self.absent[skill, :, size:] = -torch.inf

    @property
    def parameters(self) -> "list[torch.Tensor]":
        """The tensors to be optimised."""
        return [self.hidden, self.hidden_bias, self.weight, self.bias]

    def __call__(self, points: "torch.Tensor", *, dropout: bool) -> "torch.Tensor":
        """Return the logits of photos (n, P): (S, n, greatest K)."""
        import torch

        hidden = torch.relu(points @ self.hidden + self.hidden_bias)
        if dropout:
            chance = torch.rand(hidden.shape, generator=self.generator, device=hidden.device)
            hidden = hidden * (chance > DROPOUT) / (1 - DROPOUT)
        hidden = hidden.view(len(points), self.skills, HIDDEN).transpose(0, 1)
        logits: torch.Tensor = torch.baddbmm(self.bias, hidden, self.weight) + self.absent
        return logits

    def skill(self, column: int, size: int) -> list[Array]:
        """Return a copy of one skill's parameters: (H, P), (H,), (K, H), (K,)."""
        block = slice(column * HIDDEN, (column + 1) * HIDDEN)
        parts = (
            self.hidden[:, block].T,
            self.hidden_bias[block],
            self.weight[column, :, :size].T,
            self.bias[column, 0, :size],
        )
        return [np.ascontiguousarray(part.detach().cpu().numpy()).copy() for part in parts]
