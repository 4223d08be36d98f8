"""The cut of a backbone: where its last blocks begin, which fine-tuning trains anew while all before them stay frozen.

It is found from the network's structure: of the outermost list of blocks (stages, or layers) that run one after
another, the last quarter is trained, at least one of them. What enters the first of these is the activation at the cut.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coachworks.errors import InvalidConfigError
from components.embed.source import Source

if TYPE_CHECKING:
    import torch

_SHARE = 4  # one in four blocks is trained


@dataclass(frozen=True, eq=False)
class Cut:
    """Cut of a network.

    Attributes:
        blocks: Path of the list of blocks in the module.
        first: Index of the first block that is trained.
        count: Number of blocks in the list.
        shape: Shape of one photo's activation.
        arguments: Further positional arguments of that block.
        keywords: Its keyword arguments, the activation left out.
        keyword: Name of the activation if it is a keyword argument; empty if it is the first positional one.
    """

    blocks: str
    first: int
    count: int
    shape: tuple[int, ...]
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    keyword: str


def find_cut(source: Source, module: Any) -> Cut:
    """Find the cut of a backbone.

    Args:
        source: The backbone.
        module: What its `load` returned, from photos (N, 3, H, W) to float32 (N, D).

    Raises:
        InvalidConfigError: no list of blocks is part of the network.
    """
    for path in _lists(module):
        blocks = module.get_submodule(path)
        calls = _calls(module, blocks, source.input_px)
        if [number for number, _, _ in calls] == list(range(len(blocks))):
            first = len(blocks) - max(1, len(blocks) // _SHARE)
            _, arguments, keywords = calls[first]
            keyword = "" if arguments else next(iter(keywords))
            activation = keywords[keyword] if keyword else arguments[0]
            return Cut(
                blocks=path,
                first=first,
                count=len(blocks),
                shape=tuple(activation.shape[1:]),
                arguments=arguments[1:],
                keywords={name: value for name, value in keywords.items() if name != keyword},
                keyword=keyword,
            )
    raise InvalidConfigError(
        f"the candidate fine-tune needs a backbone whose blocks run one after another; {source.name!r} has no such "
        "list of blocks. Remove `fine-tune` from the candidates, or choose another backbone."
    )


def _calls(module: Any, blocks: Any, input_px: int) -> list[tuple[int, tuple[Any, ...], dict[str, Any]]]:
    """Run the module on an empty photo; return the number of each block that is called, and its arguments."""
    import torch

    calls: list[tuple[int, tuple[Any, ...], dict[str, Any]]] = []

    def note(block: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        calls.append((numbers[block], arguments, keywords))

    numbers = {block: number for number, block in enumerate(blocks)}
    hooks = [block.register_forward_pre_hook(note, with_kwargs=True) for block in blocks]
    with torch.no_grad():  # not inference mode: the arguments are used in training
        module(torch.zeros(1, 3, input_px, input_px))
    for hook in hooks:
        hook.remove()
    return calls


def _lists(module: Any) -> list[str]:
    """Paths of the lists of two or more modules, the outermost first, of these the one with most parameters."""
    import torch

    lists = [
        (path.count("."), -sum(each.numel() for each in child.parameters()), path)
        for path, child in module.named_modules()
        if isinstance(child, torch.nn.ModuleList) and len(child) > 1
    ]
    return [path for _, _, path in sorted(lists)]


@contextmanager
def capture(cut: Cut, module: Any) -> "Iterator[Callable[[], torch.Tensor]]":
    """Give a function that returns the activation of the latest pass of `module` in the block."""
    captured: list[Any] = []

    def keep(_: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        captured.append(keywords[cut.keyword] if cut.keyword else arguments[0])

    hook = module.get_submodule(cut.blocks)[cut.first].register_forward_pre_hook(keep, with_kwargs=True)
    try:
        yield lambda: captured[-1]
    finally:
        hook.remove()
