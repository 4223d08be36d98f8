"""Fine-tuning of a whole backbone in plain torch, as people do it: what the benchmarks compare training with.

The backbone with a new linear layer, cross-entropy, AdamW under a one-cycle schedule, random crops and flips of the
training photos, the whole photo in the test. Nothing of coachworks is used but the backbone's network and weights.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from components.embed.backbones import find_backbone

EPOCHS, BATCH, RATE, DECAY = 12, 32, 1e-3, 1e-2
_CROP = (0.5, 1.0)  # share of the area
_WARM_STEPS = 2  # not timed


@dataclass(frozen=True)
class Example:
    """A photo's file and the index of its label."""

    path: Path
    label: int


@dataclass(frozen=True)
class FineTuned:
    """Cost and answers of fine-tuning.

    Attributes:
        step_s: Processor time of a step, decoding and crops included.
        steps: Steps of all epochs.
        measured: Steps that were done.
        answers: Answers to the test photos, as indices of labels; None if not all steps were done.
    """

    step_s: float
    steps: int
    measured: int
    answers: Sequence[int] | None

    @property
    def seconds(self) -> float:
        """Processor time of all epochs, from that of the measured steps."""
        return self.step_s * self.steps


def fine_tune(
    backbone: str, train: Sequence[Example], test: Sequence[Example], labels: int, *, most_steps: int | None
) -> FineTuned:
    """Fine-tune a backbone on one thread.

    Args:
        backbone: Name of the backbone.
        train: Training photos.
        test: Test photos.
        labels: Number of labels.
        most_steps: Number of steps to do and to time; None does all of them and answers the test photos.
    """
    torch.set_num_threads(1)  # threads that wait for one another would count as processor time on a busy machine
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    source = find_backbone(backbone)
    body = source.load()
    with torch.inference_mode():
        width = body(torch.zeros(1, 3, source.input_px, source.input_px)).shape[1]
    network = torch.nn.Sequential(body, torch.nn.Linear(width, labels)).train()
    steps = EPOCHS * -(-len(train) // BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    spent, done = 0.0, 0
    for batch in _batches(train, random):
        if done == (steps if most_steps is None else min(steps, most_steps + _WARM_STEPS)):
            break
        begun = time.process_time()
        photos = torch.stack([_tensor(_cropped(example.path, source.input_px, random), source) for example in batch])
        loss = torch.nn.functional.cross_entropy(network(photos), torch.tensor([example.label for example in batch]))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        done += 1
        if done > _WARM_STEPS:
            spent += time.process_time() - begun
    answers = _answers(network.eval(), test, source) if done == steps else None
    return FineTuned(spent / (done - _WARM_STEPS), steps, done, answers)


def _batches(train: Sequence[Example], random: np.random.Generator) -> Iterator[list[Example]]:
    """Yield epoch after epoch without end."""
    while True:
        order = random.permutation(len(train))
        for start in range(0, len(order), BATCH):
            yield [train[index] for index in order[start : start + BATCH]]


def _cropped(path: Path, side: int, random: np.random.Generator) -> Image.Image:
    """Return a random crop, perhaps mirrored, in the size of the input."""
    image = _opened(path, side)
    share = random.uniform(*_CROP) ** 0.5
    width, height = (max(1, round(length * share)) for length in image.size)
    left, top = random.integers(0, image.width - width + 1), random.integers(0, image.height - height + 1)
    box = (int(left), int(top), int(left) + width, int(top) + height)
    resized = image.resize((side, side), Image.Resampling.BILINEAR, box=box)
    return resized.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < 0.5 else resized


def _opened(path: Path, side: int) -> Image.Image:
    image = Image.open(path)
    image.draft("RGB", (2 * side, 2 * side))  # a large JPEG is decoded at half or a quarter of its size
    return image.convert("RGB")


def _tensor(image: Image.Image, source: Any) -> torch.Tensor:
    pixels = (np.asarray(image, np.float32) / 255 - np.float32(source.mean)) / np.float32(source.std)
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def _answers(network: torch.nn.Module, test: Sequence[Example], source: Any) -> list[int]:
    answers: list[int] = []
    side = source.input_px
    with torch.inference_mode():
        for start in range(0, len(test), BATCH):
            whole = [_opened(example.path, side).resize((side, side)) for example in test[start : start + BATCH]]
            answers += network(torch.stack([_tensor(image, source) for image in whole])).argmax(1).tolist()
    return answers
