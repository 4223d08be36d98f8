"""Checkpoints: the state of training after an epoch, in the store, from which a killed run goes on."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coachworks.digests import canonical_json, digest_bytes
from coachworks.errors import DamagedError, NotFoundError
from coachworks.results import jsonable
from coachworks.store import Store

if TYPE_CHECKING:
    import torch

Array = NDArray[Any]

_STATE = "state"
_MOMENTS = ("exp_avg", "exp_avg_sq")  # of torch's AdamW


@dataclass(eq=False, kw_only=True)
class Progressed:
    """State of training beside the parameters and the optimiser.

    Attributes:
        epoch: Number of whole epochs.
        best_epoch: Number of the best epoch.
        tried: Scores on validation after each epoch, beginning with epoch 0.
        best_logits: Logits of the best epoch on the validation photos, shape (M, K).
        best: Parameters of the best epoch by name.
    """

    epoch: int
    best_epoch: int
    tried: list[dict[str, Any]]
    best_logits: Array
    best: dict[str, Array]


@dataclass(frozen=True)
class Checkpoint:
    """Place of a training's checkpoint.

    Attributes:
        store: The store.
        digest: Digest of all that decides the outcome: another training has another checkpoint.
    """

    store: Store
    digest: str

    @property
    def folder(self) -> str:
        """Folder in the store; the file in it is named by its own digest."""
        return f"checkpoints/{self.digest}"

    def save(
        self,
        state: Progressed,
        names: Sequence[str],
        parameters: "Sequence[torch.nn.Parameter]",
        averages: "Sequence[torch.Tensor]",
        optimiser: "torch.optim.Optimizer",
    ) -> None:
        """Write the state, then remove the one before."""
        from safetensors.numpy import save

        arrays = {f"best/{name}": values for name, values in state.best.items()} | {"logits": state.best_logits}
        for name, parameter, average in zip(names, parameters, averages, strict=True):
            values = {
                "parameter": parameter,
                "average": average,
                **{each: optimiser.state[parameter][each] for each in _MOMENTS},
            }
            arrays |= {f"{part}/{name}": tensor.detach().cpu().contiguous().numpy() for part, tensor in values.items()}
        step = float(optimiser.state[parameters[0]]["step"])
        facts = jsonable({"epoch": state.epoch, "best_epoch": state.best_epoch, "tried": state.tried, "step": step})
        whole = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
        data = save(whole, metadata={_STATE: canonical_json(facts)})
        earlier, key = list(self.store.list(self.folder)), f"{self.folder}/{digest_bytes(data)}.safetensors"
        self.store.write(key, data)
        for other in earlier:
            if other != key:
                self.store.remove(other)

    def restore(
        self,
        names: Sequence[str],
        parameters: "Sequence[torch.nn.Parameter]",
        averages: "Sequence[torch.Tensor]",
        optimiser: "torch.optim.Optimizer",
    ) -> Progressed | None:
        """Set parameters, averages and optimiser to the saved state, and return it; None if there is none."""
        import torch
        from safetensors import safe_open

        latest = max(self._files(), key=lambda entry: int(entry[0]["epoch"]), default=None)
        if latest is None:
            return None
        facts, path = latest
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 — not a mapping
        with torch.no_grad():
            for name, parameter, average in zip(names, parameters, averages, strict=True):
                parameter.copy_(torch.from_numpy(arrays[f"parameter/{name}"]))
                average.copy_(torch.from_numpy(arrays[f"average/{name}"]))
                moments = {each: torch.from_numpy(arrays[f"{each}/{name}"]) for each in _MOMENTS}
                optimiser.state[parameter] = {
                    "step": torch.tensor(facts["step"]),
                    **{each: torch.empty_like(parameter).copy_(values) for each, values in moments.items()},
                }
        return Progressed(
            epoch=facts["epoch"],
            best_epoch=facts["best_epoch"],
            tried=facts["tried"],
            best_logits=arrays["logits"],
            best={name: arrays[f"best/{name}"] for name in names},
        )

    def _files(self) -> Iterator[tuple[dict[str, Any], Path]]:
        """Yield what each intact file says of its state, and its path; two if a run was killed between them."""
        from safetensors import safe_open

        for key in list(self.store.list(self.folder)):
            try:
                path = self.store.fetch(key)
            except NotFoundError:
                continue
            except DamagedError:
                self.store.remove(key)
                continue
            with safe_open(path, framework="numpy") as file:
                yield json.loads(file.metadata()[_STATE]), path

    def remove(self) -> None:
        """Remove the checkpoint, if there is one."""
        for key in list(self.store.list(self.folder)):
            self.store.remove(key)
