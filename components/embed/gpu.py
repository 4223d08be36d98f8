"""The backbone on a GPU, with torch; worker processes prepare the pixels."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coachworks.models.backbone import BackboneSpec
from coachworks.models.preprocess import scale_and_shift
from components.embed.source import Source

if TYPE_CHECKING:
    pass

BATCH = 128  # photos per pass: below, the GPU waits for its launches
_DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # CUDA, CUDA under Windows, ROCm


def accelerator() -> tuple[str, str] | None:
    """Torch's device and the name of the GPU behind it, or None; torch is imported only where there is a driver."""
    if not any(Path(driver).exists() for driver in _DRIVERS):
        return None
    import torch

    return ("cuda", torch.cuda.get_device_name()) if torch.cuda.is_available() else None


class TorchBackbone:
    """A backbone in torch.

    Args:
        source: The backbone.
        spec: The same, converted: for the preprocessing.
        device: `cuda`, or another device of torch.
    """

    def __init__(self, source: Source, spec: BackboneSpec, device: str) -> None:
        import torch

        # The cache holds features of CPUs and GPUs side by side: TF32's ten bits are too few for that.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        self._module = source.load().to(device)
        self._device = device
        scale, shift = scale_and_shift(spec)
        self._scale = torch.from_numpy(scale).to(device)
        self._shift = torch.from_numpy(shift).to(device)

    def features(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features float32 (N, D) of pixels uint8 (N, H, W, 3)."""
        import torch

        with torch.inference_mode():
            photos: torch.Tensor = torch.from_numpy(rgb).to(self._device).float() * self._scale + self._shift
            features: NDArray[np.float32] = self._module(photos.permute(0, 3, 1, 2)).cpu().numpy()
        return features
