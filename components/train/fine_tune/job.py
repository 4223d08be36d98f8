"""Training as a job in a folder, which one process, or several of torchrun, carry out."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coachworks.errors import CoachworksError
from coachworks.results import jsonable
from coachworks.settings import child_environment
from coachworks.store import open_store
from components.embed.backbones import find_backbone
from components.train.fine_tune.checkpoint import Checkpoint
from components.train.fine_tune.data import load_data
from components.train.fine_tune.network import build_network
from components.train.fine_tune.processes import first
from components.train.fine_tune.start import Start
from components.train.fine_tune.training import EPOCHS, LEARNING_RATE, Tuned, tune

WORKER = "components.train.fine_tune.worker"
_JOB, _START, _TUNED = "job.json", "start.safetensors", "tuned.safetensors"
_FACTS = "facts"


@dataclass(frozen=True, kw_only=True)
class Job:
    """Settings of a training.

    Attributes:
        backbone: Name of the backbone, as in the fleet file.
        store: Address of the store that keeps the checkpoint.
        digest: Digest of all that decides the outcome.
        seed: Seed of the order and the views.
        frozen: Groups of the numbers that the frozen part gives.
        epochs: Greatest number of epochs.
        learning_rate: Greatest learning rate.
    """

    backbone: str
    store: str
    digest: str
    seed: int
    frozen: tuple[str, ...]
    epochs: int = EPOCHS
    learning_rate: float = LEARNING_RATE

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint of the training."""
        return Checkpoint(open_store(self.store), self.digest)


def write_job(job: Job, start: Start, folder: Path) -> None:
    """Write a job beside its data, which `save_data` has written into the folder."""
    from safetensors.numpy import save

    arrays = {"weight": start.weight, "bias": start.bias, "frozen_weight": start.frozen_weight}
    (folder / _START).write_bytes(save(arrays))
    (folder / _JOB).write_text(json.dumps(asdict(job)), "utf-8")


def run_job(folder: Path, *, advance: Callable[[], None] = lambda: None, processes: int = 0) -> Tuned:
    """Train in this process, or in one process for each GPU where there are several.

    Args:
        folder: Folder of the job.
        advance: Called after each epoch, if it is trained in this process.
        processes: Number of processes; 0: one per GPU, at least one.

    Raises:
        CoachworksError: one of several processes failed.
    """
    import torch

    count = processes or max(1, torch.cuda.device_count())
    if count == 1:
        return train_job(folder, advance=advance)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    done = subprocess.run(  # noqa: S603 — our own interpreter and module
        [*command, "-m", WORKER, str(folder)], env=child_environment(), check=False
    )
    if done.returncode:
        raise CoachworksError(
            f"fine-tuning in {count} processes ended with status {done.returncode}; its error is above. Epochs that "
            "were done are kept: run again once the cause is removed."
        )
    return _read_tuned(folder)


def train_job(folder: Path, *, advance: Callable[[], None] = lambda: None) -> Tuned:
    """Train in this process, on its own or as a member of a process group; the first one writes the result."""
    from safetensors.numpy import load_file

    document = json.loads((folder / _JOB).read_text("utf-8"))
    job = Job(**{**document, "frozen": tuple(document["frozen"])})
    start = Start(**load_file(folder / _START), frozen=job.frozen)
    network = build_network(find_backbone(job.backbone), start)
    tuned = tune(
        network,
        load_data(folder),
        seed=job.seed,
        checkpoint=job.checkpoint,
        advance=advance,
        epochs=job.epochs,
        learning_rate=job.learning_rate,
    )
    if first():
        _write_tuned(tuned, folder)
    return tuned


def _write_tuned(tuned: Tuned, folder: Path) -> None:
    from safetensors.numpy import save

    facts = json.dumps(jsonable({"epoch": tuned.epoch, "tried": tuned.tried}))
    arrays = {f"parameter/{name}": np.ascontiguousarray(values) for name, values in tuned.parameters.items()}
    (folder / _TUNED).write_bytes(save({**arrays, "logits": tuned.logits}, metadata={_FACTS: facts}))


def _read_tuned(folder: Path) -> Tuned:
    from safetensors import safe_open

    with safe_open(folder / _TUNED, framework="numpy") as file:
        facts: dict[str, Any] = json.loads(file.metadata()[_FACTS])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 — not a mapping
    logits = arrays.pop("logits")
    parameters = {name.removeprefix("parameter/"): values for name, values in arrays.items()}
    return Tuned(parameters=parameters, logits=logits, epoch=facts["epoch"], tried=facts["tried"])
