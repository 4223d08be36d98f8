"""Candidate `mlp`: one hidden layer, all skills of a lane in one go."""

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


def fit(lane: Lane, reduction: Reduction, config: TrainConfig, chosen: Chosen | None = None) -> dict[str, Candidate]:
    """A small network per skill on clean photos and augmented views, side by side as one batched product.

    AdamW (Loshchilov & Hutter, 2019, arXiv 1711.05101) with dropout (Srivastava et al., 2014); each skill keeps the
    epoch that did best on its validation photos (early stopping). `chosen` skips the search: each skill's epoch is
    given.
    """
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kept = min(COMPONENTS, lane.train.shape[1])
    scale = np.sqrt(np.maximum(lane.train[:, :kept].var(0).max(), 1e-12))  # the first axis has variance 1
    tables = [torch.from_numpy(table[:, :kept] / scale).to(device) for table in (lane.train, *lane.views)]
    validation = torch.from_numpy(lane.validation[:, :kept] / scale).to(device)
    sizes = [len(labels) for labels in lane.labels.values()]
    network = _Network(kept, sizes, config.seed, device)
    answers = torch.from_numpy(lane.answers.clip(min=0)).to(device)
    weights = torch.from_numpy(lane.photo_weights() * len(lane.train)).to(device)
    optimiser = torch.optim.AdamW(network.parameters, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    checks = range(CHECK_EVERY, EPOCHS + 1, CHECK_EVERY)
    wanted = [checks if chosen is None else (chosen[skill]["epochs"],) for skill in lane.skills]
    order = np.random.default_rng(config.seed)
    trials: list[list[Trial]] = [[] for _ in sizes]
    snapshots: list[list[list[Array]]] = [[] for _ in sizes]
    with cores_for(BATCH * network.hidden.numel()):
        for epoch in range(1, max(map(max, wanted)) + 1):
            for rows in np.array_split(order.permutation(len(lane.train)), max(1, len(lane.train) // BATCH)):
                batch = torch.from_numpy(rows).to(device)
                table = tables[int(order.integers(len(tables)))]
                logs = network(table[batch], dropout=True).log_softmax(2)
                picked = logs.gather(2, answers[batch].T[:, :, None])[:, :, 0]
                loss = -(picked * weights[batch].T).sum() / len(rows)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
            if not any(epoch in epochs for epochs in wanted):
                continue
            with torch.inference_mode():
                logits = network(validation, dropout=False).cpu().numpy()
            for column, size in enumerate(sizes):
                if epoch not in wanted[column]:
                    continue
                trials[column].append(Trial({"epochs": epoch}, logits[column, :, :size]))
                snapshots[column].append(network.skill(column, size))
    candidates = {}
    offset = reduction.offset.astype(np.float64)
    projection = reduction.projection[:, :kept].astype(np.float64) / scale
    for column, skill in enumerate(lane.skills):
        best, tried = best_trial(trials[column], lane.validation_answers[:, column])
        if not (lane.validation_answers[:, column] != UNLABELLED).any():
            best = len(tried) - 1
        hidden, hidden_bias, weight, bias = snapshots[column][best]
        folded = hidden.astype(np.float64) @ projection.T
        candidates[skill] = Candidate(
            arrays={
                "hidden_weight": folded.astype(np.float32),
                "hidden_bias": (hidden_bias - folded @ offset).astype(np.float32),
                "weight": weight,
                "bias": bias,
            },
            logits=trials[column][best].logits,
            parameters={
                **trials[column][best].parameters,
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
        return [self.hidden, self.hidden_bias, self.weight, self.bias]

    def __call__(self, points: "torch.Tensor", *, dropout: bool) -> "torch.Tensor":
        """Logits of photos (n, P): (S, n, greatest K)."""
        import torch

        hidden = torch.relu(points @ self.hidden + self.hidden_bias)
        if dropout:
            chance = torch.rand(hidden.shape, generator=self.generator, device=hidden.device)
            hidden = hidden * (chance > DROPOUT) / (1 - DROPOUT)
        hidden = hidden.view(len(points), self.skills, HIDDEN).transpose(0, 1)
        logits: torch.Tensor = torch.baddbmm(self.bias, hidden, self.weight) + self.absent
        return logits

    def skill(self, column: int, size: int) -> list[Array]:
        """A copy of one skill's parameters: (H, P), (H,), (K, H), (K,)."""
        block = slice(column * HIDDEN, (column + 1) * HIDDEN)
        parts = (
            self.hidden[:, block].T,
            self.hidden_bias[block],
            self.weight[column, :, :size].T,
            self.bias[column, 0, :size],
        )
        return [np.ascontiguousarray(part.detach().cpu().numpy()).copy() for part in parts]
