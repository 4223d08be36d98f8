"""Network that is trained for a skill: the backbone's last blocks and a linear head, from activations at the cut."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from components.embed.cut import Cut, find_cut
from components.embed.source import Source

if TYPE_CHECKING:
    import torch

    from components.train.fine_tune.start import Start


def build_network(source: Source, start: "Start") -> "torch.nn.Module":
    """Build the network of a skill, in evaluation mode: batch normalisation keeps the statistics of the backbone.

    From features float32 (N, F + A), the frozen numbers and then the flat activation, to logits (N, K). Its method
    `from_offsets` takes activations (N, A) and what the frozen numbers add to the logits, (N, K).

    Args:
        source: The backbone.
        start: The linear head that it starts from.
    """
    import torch

    module: Any = source.load()
    cut = find_cut(source, module)
    with torch.no_grad():
        tail = _tail(module, cut, source.input_px)

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tail = tail
            self.weight = torch.nn.Parameter(torch.from_numpy(start.weight.copy()))
            self.bias = torch.nn.Parameter(torch.from_numpy(start.bias.copy()))
            self.frozen_weight: torch.Tensor
            self.register_buffer("frozen_weight", torch.from_numpy(start.frozen_weight.copy()))
            self.frozen = start.frozen_weight.shape[1]

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            offsets = features[:, : self.frozen] @ self.frozen_weight.T if self.frozen else 0
            return self.from_offsets(features[:, self.frozen :], offsets)

        def from_offsets(self, activations: torch.Tensor, offsets: torch.Tensor | int) -> torch.Tensor:
            pooled: torch.Tensor = self.tail(activations.view(activations.shape[0], *cut.shape))
            return pooled @ self.weight.T + self.bias + offsets

    network = Network().eval()
    _freeze_unused(network, start.weight.shape[0], cut)
    return network


def trained_parameters(network: "torch.nn.Module") -> "Iterator[tuple[str, torch.nn.Parameter]]":
    """Yield the parameters that training changes, with their names."""
    return (entry for entry in network.named_parameters() if entry[1].requires_grad)


def _tail(module: Any, cut: Cut, input_px: int) -> "torch.nn.Module":
    """Return a module from activations (N, …) at the cut to the pooled output (N, D).

    It is the backbone's own forward pass without the blocks before the cut. What comes before them runs on one empty
    photo and is replaced by the activation where the first trained block begins.
    """
    import torch

    parent, _, name = cut.blocks.rpartition(".")
    blocks = torch.nn.ModuleList(list(module.get_submodule(cut.blocks))[cut.first :])
    setattr(module.get_submodule(parent), name, blocks)

    class Tail(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module
            self.register_buffer("photo", torch.zeros(1, 3, input_px, input_px), persistent=False)
            self.activation: torch.Tensor | None = None
            blocks[0].register_forward_pre_hook(self._replace, with_kwargs=True)

        def _replace(self, _: Any, __: tuple[Any, ...], ___: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
            if cut.keyword:
                return cut.arguments, {**cut.keywords, cut.keyword: self.activation}
            return (self.activation, *cut.arguments), cut.keywords

        def forward(self, activation: torch.Tensor) -> torch.Tensor:
            self.activation = activation
            pooled: torch.Tensor = self.module(self.photo)
            self.activation = None
            return pooled

    return Tail()


def _freeze_unused(network: Any, labels: int, cut: Cut) -> None:
    """Freeze the parameters that the logits do not depend on: those of the layers before the cut."""
    import torch

    activations = torch.ones(2, *cut.shape).flatten(1)
    network.from_offsets(activations, torch.zeros(2, labels)).sum().backward()
    for parameter in network.parameters():
        parameter.requires_grad_(parameter.grad is not None)
        parameter.grad = None
