"""A backbone whose pass gives feature groups: what is found in the maps of its blocks, beside the last average."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from coachworks.errors import DataError, InvalidConfigError
from coachworks.feature_groups import ACTIVATION, CELLS, CLASS, GROUPS, LAST, MEAN, STD, ordered
from components.embed.cut import capture, find_cut
from components.embed.source import Source

if TYPE_CHECKING:
    import torch

FITTING_BYTES = 30_000  # of one photo in one view: the groups that `auto` keeps together fit in it
ALL, AUTO = "all", "auto"


def grouped(source: Source, groups: Sequence[str] | None = None) -> "torch.nn.Module":
    """Load a backbone as a module from photos (N, 3, H, W) to a tuple of float32 (N, D), one for each feature group.

    A module of `Source.load` may have a method `with_blocks`: from photos to the pooled output and the output of each
    block, (N, C, H, W), or tokens (N, T, C) of which `patch_tokens` at the end form a square. Without that method
    there is only `last`.

    Args:
        source: The backbone.
        groups: The groups; None: all that the network has, but for `activation`. The module's attribute `groups` names
            them, and `sizes` the numbers per photo of each.

    Raises:
        DataError: the module does not return one vector per photo, or its network lacks one of the groups.
    """
    import torch

    module: Any = source.load()
    cut = find_cut(source, module) if groups is not None and ACTIVATION in groups else None

    class Grouped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module
            self.groups: tuple[str, ...] = ()
            self.sizes: dict[str, int] = {}

        def measured(self, photos: torch.Tensor) -> dict[str, torch.Tensor]:
            if cut is None:
                return self.described(photos)
            with capture(cut, module) as captured:
                return {**self.described(photos), ACTIVATION: captured().flatten(1)}

        def described(self, photos: torch.Tensor) -> dict[str, torch.Tensor]:
            if not hasattr(module, "with_blocks"):
                return {LAST: module(photos)}
            last, outputs = module.with_blocks(photos)
            return {LAST: last, **_statistics(outputs, getattr(module, "patch_tokens", 0), self.groups)}

        def forward(self, photos: torch.Tensor) -> tuple[torch.Tensor, ...]:
            values = self.measured(photos)
            return tuple(values[group] for group in self.groups)

    network = Grouped().eval()
    network.groups = GROUPS
    with torch.inference_mode():
        available = network.measured(torch.zeros(1, 3, source.input_px, source.input_px))
    if available[LAST].ndim != 2:
        shape = tuple(available[LAST].shape)
        raise DataError(f"backbone {source.name!r} must return one vector per photo; got shape {shape}")
    network.groups = ordered(available if groups is None else groups)
    missing = [group for group in network.groups if group not in available]
    if missing:
        raise DataError(
            f"feature groups of the backbone {source.name!r} are {', '.join(ordered(available))}; "
            f"got {', '.join(missing)}"
        )
    network.sizes = {group: int(available[group].shape[1]) for group in network.groups}
    return network


def chosen_groups(name: str, sizes: Mapping[str, int], setting: str) -> tuple[str, ...]:
    """Return the feature groups that a setting asks for.

    Args:
        name: Name of the backbone, for messages.
        sizes: Numbers per photo of each group that the backbone has.
        setting: `auto`: the first groups that fit `FITTING_BYTES` together; `all`; or names with commas between them.
            Each may be followed by `,activation`, which no setting of a user holds.

    Raises:
        InvalidConfigError: the backbone does not have one of the named groups.
    """
    if with_activation(setting):
        described = {group: size for group, size in sizes.items() if group != ACTIVATION}
        rest = ",".join(part for part in setting.split(",") if part != ACTIVATION)
        return (*chosen_groups(name, described, rest or LAST), ACTIVATION)
    names = ordered(sizes)
    if setting == ALL:
        return names
    if setting == AUTO:
        kept = [{name: sizes[name] for name in names[:count]} for count in range(1, len(names) + 1)]
        fitting = [len(sizes_kept) for sizes_kept in kept if stored_bytes(sizes_kept) <= FITTING_BYTES]
        return names[: max(fitting, default=1)]
    asked = [LAST, *(part.strip() for part in setting.split(","))]
    unknown = [group for group in asked if group not in sizes]
    if unknown:
        raise InvalidConfigError(
            f"feature_groups must be among {', '.join(names)}, which the backbone {name!r} has, or auto, or all; got "
            f"{', '.join(map(repr, unknown))}"
        )
    return ordered(asked)


def with_activation(setting: str) -> bool:
    """Return whether a setting of `chosen_groups` asks for the activation at the cut."""
    return ACTIVATION in setting.split(",")


def stored_bytes(sizes: Mapping[str, int]) -> int:
    """Return the size in the cache of one photo's features in one view: float32 of `last`, float16 of the others."""
    return sum(size * (4 if group == LAST else 2) for group, size in sizes.items())


def _statistics(outputs: Sequence[Any], patch_tokens: int, groups: Sequence[str]) -> "dict[str, torch.Tensor]":
    """Return the groups of the blocks' outputs; only what is asked for is part of the graph."""
    import torch
    from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d

    numbers: dict[str, list[torch.Tensor]] = {CLASS: [], MEAN: [], STD: [], CELLS: []}
    for output in outputs:
        maps = output
        if output.ndim == 3:  # tokens
            side = round(patch_tokens**0.5)
            tokens = int(output.shape[1])
            square = 0 < side * side == patch_tokens <= tokens
            if square and tokens > patch_tokens:
                numbers[CLASS].append(output[:, 0])
            if square:
                maps = output[:, tokens - patch_tokens :].transpose(1, 2).unflatten(2, (side, side))
            else:
                maps = output.transpose(1, 2).unsqueeze(3)
        height, width = (int(side) for side in maps.shape[2:])  # constants of the traced graph
        # Pooling, not sums over axes: ONNX Runtime pools in the layout of its convolutions, without reordering. Small
        # squares are averaged first, which changes no average of a half: a large map is read once for both groups.
        step = next(step for step in (4, 2, 1) if step == 1 or height % (2 * step) == width % (2 * step) == 0)
        small = avg_pool2d(maps, step, step) if step > 1 else maps
        mean = adaptive_avg_pool2d(small, 1).flatten(1)
        numbers[MEAN].append(mean)
        if height * width > 1 and STD in groups:
            # not E[x²] - E[x]², which is rounding where a channel is nearly constant
            centred = maps - mean[:, :, None, None]
            numbers[STD].append(adaptive_avg_pool2d(centred * centred, 1).flatten(1).sqrt())
        if min(height, width) > 1 and CELLS in groups:
            # of an odd number of rows, the one in the middle counts in both halves
            sides = [side // step for side in (height, width)]
            size, stride = [-(-side // 2) for side in sides], [side // 2 for side in sides]
            numbers[CELLS].append(avg_pool2d(small, size, stride).flatten(1))
    return {group: torch.cat(parts, 1) for group, parts in numbers.items() if parts and group in groups}
