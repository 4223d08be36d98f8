"""Processes that train one network together, by torch.distributed; without a process group there is one."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


def processes() -> int:
    """Return the number of processes."""
    import torch.distributed as dist

    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def first() -> bool:
    """Return whether this is the first process, the one that writes."""
    import torch.distributed as dist

    return processes() == 1 or dist.get_rank() == 0


def own_share(rows: NDArray[Any]) -> NDArray[Any]:
    """Return this process's share of some rows."""
    import torch.distributed as dist

    if processes() == 1:
        return rows
    return np.array_split(rows, processes())[dist.get_rank()]


def in_step(network: Any) -> Any:
    """Return a function from activations and offsets to logits whose gradients are averaged over the processes."""
    import torch

    if processes() == 1:
        return network.from_offsets

    class FromOffsets(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, activations: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.network.from_offsets(activations, offsets)
            return logits

    return torch.nn.parallel.DistributedDataParallel(FromOffsets())


def everywhere(values: NDArray[Any], device: "torch.device") -> NDArray[Any]:
    """Return the first process's values, so that all processes decide alike."""
    import torch
    import torch.distributed as dist

    if processes() == 1:
        return values
    tensor = torch.from_numpy(values).to(device)
    dist.broadcast(tensor, 0)
    return tensor.cpu().numpy()
