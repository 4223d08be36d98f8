"""Backbone on a GPU, with torch; worker processes prepare the pixels."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coachworks.models.backbone import BackboneSpec
from coachworks.models.preprocess import scale_and_shift
from components.embed.grouped import grouped
from components.embed.source import Source

BATCH = 128  # photos per pass; with fewer, launching kernels takes longer than computing
_DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # CUDA, CUDA under Windows, ROCm


def accelerator() -> tuple[str, str] | None:
    """Return torch's device and the name of the GPU, or None; torch is imported only if there is a GPU driver."""
    if not any(Path(driver).exists() for driver in _DRIVERS):
        return None
    import torch

    return ("cuda", torch.cuda.get_device_name()) if torch.cuda.is_available() else None


class TorchBackbone:
    """Backbone in torch.

    Args:
        source: The backbone.
        spec: The converted backbone, for its preprocessing.
        device: `cuda`, or another device of torch.
    """

    def __init__(self, source: Source, spec: BackboneSpec, device: str) -> None:
        import torch

        # The cache mixes features of CPUs and GPUs; TF32 has ten bits of mantissa, too few to agree with float32.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        self._module = grouped(source, tuple(spec.group_sizes)).to(device)
        self._device = device
        scale, shift = scale_and_shift(spec)
        self._scale = torch.from_numpy(scale).to(device)
        self._shift = torch.from_numpy(shift).to(device)

    def features(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute features float32 (N, D), group after group, from pixels uint8 (N, H, W, 3)."""
        import torch

        with torch.inference_mode():
            photos: torch.Tensor = torch.from_numpy(rgb).to(self._device).float() * self._scale + self._shift
            features: NDArray[np.float32] = torch.cat(self._module(photos.permute(0, 3, 1, 2)), 1).cpu().numpy()
        return features
