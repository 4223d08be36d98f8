"""Training of a skill's network: from the linear head to the epoch with the best answers on validation."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from components.train.candidate import Trial, best_trial
from components.train.fine_tune.batches import Batches
from components.train.fine_tune.checkpoint import Checkpoint, Progressed
from components.train.fine_tune.data import TuningData
from components.train.fine_tune.network import trained_parameters
from components.train.fine_tune.processes import everywhere, first, in_step, processes

if TYPE_CHECKING:
    import torch

Array = NDArray[Any]

EPOCHS = 12
PATIENCE = 3  # epochs without a better one after which it stops
BATCH = 32
LEARNING_RATE = 1e-4
WEIGHT_DECAY = 1e-2
_VALIDATION_BATCH = 64


@dataclass(frozen=True, eq=False, kw_only=True)
class Tuned:
    """A trained network.

    Attributes:
        parameters: The trained parameters of the best epoch by name.
        logits: Its logits on the skill's validation photos, shape (M, K).
        epoch: Number of that epoch; 0 is the linear head.
        tried: Balanced accuracy and log loss on validation after each epoch.
    """

    parameters: dict[str, Array]
    logits: Array
    epoch: int
    tried: list[dict[str, Any]]


def tune(
    network: Any,
    data: TuningData,
    *,
    seed: int,
    checkpoint: Checkpoint,
    advance: Callable[[], None] = lambda: None,
    epochs: int = EPOCHS,
    learning_rate: float = LEARNING_RATE,
) -> Tuned:
    """Train a network, and keep the epoch with the least log loss on validation after calibration (early stopping).

    AdamW (Loshchilov & Hutter, 2019, arXiv 1711.05101) with a learning rate that rises for one epoch and then falls
    along a cosine. What is validated and kept is the moving average of the parameters over about one epoch (Polyak &
    Juditsky, 1992, doi:10.1137/0330046): on a few thousand photos single steps are mostly noise.

    In each epoch every photo is seen once, in one of its views. The order and the views are drawn from the seed and the
    epoch's number, so training that was killed goes on after the last whole epoch as if nothing had happened. In a
    process group every process takes its share of each batch.

    Args:
        network: The network as `build_network` returns it.
        data: The data.
        seed: Seed of the order and the views.
        checkpoint: Keeps the state after each epoch.
        advance: Called after each epoch.
        epochs: Greatest number of epochs.
        learning_rate: Greatest learning rate.
    """
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.deterministic = True
    network.to(device, memory_format=torch.channels_last)
    names, parameters = zip(*trained_parameters(network), strict=True)
    optimiser = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=WEIGHT_DECAY)
    averages = [parameter.detach().clone() for parameter in parameters]
    state = checkpoint.restore(names, parameters, averages, optimiser)
    batches = Batches(data, seed, BATCH, device)
    if state is None:
        state = Progressed(epoch=0, best_epoch=0, tried=[], best_logits=_validate(network, data, device), best={})
        _judge(state, data, names, averages, state.best_logits)
    for _ in range(state.epoch):
        advance()
    forward = in_step(network)
    while state.epoch < epochs and not _is_over(state, data):
        for number, batch in enumerate(batches.epoch(state.epoch)):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate * _schedule(state.epoch + number / batches.count, epochs)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                logits = forward(batch.activations, batch.offsets)
            losses = torch.nn.functional.cross_entropy(logits.float(), batch.answers, reduction="none")
            # processes average their gradients; each has a share of the batch
            loss = (losses * batch.weights).sum() * processes() / batch.photos
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            with torch.no_grad():
                for average, parameter in zip(averages, parameters, strict=True):
                    average.lerp_(parameter, 1 / batches.count)
        state.epoch += 1
        with _in_place_of(parameters, averages):
            answered = _validate(network, data, device)
        _judge(state, data, names, averages, answered)
        if first():
            checkpoint.save(state, names, parameters, averages, optimiser)
        advance()
    return Tuned(parameters=state.best, logits=state.best_logits, epoch=state.best_epoch, tried=state.tried)


@contextmanager
def _in_place_of(parameters: "Sequence[torch.Tensor]", averages: "Sequence[torch.Tensor]") -> Iterator[None]:
    """Give the parameters the values of their averages in the block."""
    import torch

    current = [parameter.detach().clone() for parameter in parameters]
    with torch.no_grad():
        for parameter, average in zip(parameters, averages, strict=True):
            parameter.copy_(average)
        yield
        for parameter, values in zip(parameters, current, strict=True):
            parameter.copy_(values)


def _schedule(progress: float, epochs: int) -> float:
    """Share of the learning rate after `progress` epochs."""
    if progress < 1:
        return progress
    return 0.5 * (1 + math.cos(math.pi * (progress - 1) / max(epochs - 1, 1)))


def _is_over(state: Progressed, data: TuningData) -> bool:
    return len(data.validation_answers) > 0 and state.epoch - state.best_epoch >= PATIENCE


def _judge(state: Progressed, data: TuningData, names: Any, parameters: Any, logits: Array) -> None:
    """Record the scores after an epoch, and keep its parameters if it is the best, or without validation the last."""
    _, (scored,) = best_trial([Trial({"epochs": state.epoch}, logits)], data.validation_answers)
    state.tried.append(scored)
    best = min(state.tried, key=lambda each: float(each["log_loss"]))
    if best is scored or not len(data.validation_answers):
        state.best_epoch, state.best_logits = state.epoch, logits
        state.best = {
            name: values.detach().cpu().contiguous().numpy().copy()
            for name, values in zip(names, parameters, strict=True)
        }


def _validate(network: Any, data: TuningData, device: "torch.device") -> Array:
    """Return the logits on the skill's validation photos; in a process group those of the first process."""
    import torch

    logits = np.empty((len(data.validation_rows), data.offsets.shape[2]), np.float32)
    with torch.inference_mode():
        for start in range(0, len(logits), _VALIDATION_BATCH):
            own = slice(start, start + _VALIDATION_BATCH)
            activations = torch.from_numpy(np.asarray(data.validation[data.validation_rows[own]], np.float32))
            offsets = torch.from_numpy(data.validation_offsets[own])
            logits[own] = network.from_offsets(activations.to(device), offsets.to(device)).cpu().numpy()
    return everywhere(logits, device)
