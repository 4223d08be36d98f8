"""Backbone before its conversion: the origin of its weights and the preprocessing of its photos."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coachworks.digests import digest_json
from coachworks.models.backbone import Fit, Resampling
from coachworks.models.preprocess import PREPROCESSING

if TYPE_CHECKING:
    import torch

EXPORT = 1  # increase it when the conversion creates another network


@dataclass(frozen=True, kw_only=True)
class Source:
    """Backbone that can be loaded with torch, described without importing torch.

    Attributes:
        name: Name of the backbone.
        weights: Digest of the weights and of their network.
        load: Function that returns the torch module, float32 (N, 3, H, W) to float32 (N, D), in evaluation mode; for
            its method `with_blocks` see `components.embed.grouped`.
        input_px: Height and width of its input.
        mean: Mean per channel of values in [0, 1].
        std: Standard deviation per channel.
        resampling: Filter of the resize.
        fit: `squash` or `crop`.
        crop: `box`: photos are cropped to their box; empty: they are not.
        margin: Share of the box's width and height that is added on each side.
        upright: `table`: photos are turned as their table says; empty: as their EXIF data says.
    """

    name: str
    weights: str
    load: "Callable[[], torch.nn.Module]"
    input_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resampling: Resampling
    fit: Fit = "squash"  # the whole photo beats its centre on photos of things: docs/guide/backbones.md has the figures
    crop: str = ""
    margin: float = 0.0
    upright: str = ""

    @property
    def digest(self) -> str:
        """Digest of everything that features depend on: weights, network, preprocessing, but not the name."""
        return digest_json(
            {
                "weights": self.weights,
                "input_px": self.input_px,
                "mean": self.mean,
                "std": self.std,
                "resampling": self.resampling,
                "fit": self.fit,
                "preprocessing": PREPROCESSING,
                "export": EXPORT,
                **({"crop": self.crop, "margin": self.margin} if self.crop else {}),
                **({"upright": self.upright} if self.upright else {}),
            }
        )
