"""Axes files: the reduction of a set of feature groups, kept for a training that continues from this one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.train.reading import Read
from components.train.reduction import Reduction, project

Floats = NDArray[np.float32]


def axes_file(folder: Path, groups: Sequence[str]) -> Path:
    """Return the path of the axes of a set of feature groups in a result of train."""
    return folder / "axes" / f"{'+'.join(groups)}.safetensors"


def save_axes(reduction: Reduction, groups: Sequence[str], folder: Path) -> None:
    """Save the reduction of a set of feature groups in a result of train."""
    from safetensors.numpy import save

    path = axes_file(folder, groups)
    path.parent.mkdir(exist_ok=True)
    arrays = {
        "offset": reduction.offset,
        "projection": np.ascontiguousarray(reduction.projection),
        "variances": reduction.variances,
        "explained": np.array([reduction.explained]),
    }
    path.write_bytes(save(arrays))


def load_axes(folder: Path, groups: Sequence[str]) -> Reduction:
    """Load the reduction that `save_axes` saved."""
    from safetensors.numpy import load

    arrays = load(axes_file(folder, groups).read_bytes())
    return Reduction(
        offset=arrays["offset"],
        projection=arrays["projection"],
        variances=arrays["variances"],
        explained=float(arrays["explained"][0]),
    )


def reduced(
    read: Read, photos: Sequence[str], view: int, groups: Sequence[str], sizes: Mapping[str, int], reduction: Reduction
) -> Floats:
    """Read photos in one view and return them along the axes of a reduction, one group after another.

    Args:
        read: Reads the features of a group.
        photos: Ids of N photos.
        view: 0 for the clean photos, 1 and up for the augmented views.
        groups: The feature groups of the reduction.
        sizes: Numbers per photo of each group.
        reduction: The axes of the groups, side by side.

    Returns:
        float32, shape (N, P).
    """
    points = np.zeros((len(photos), reduction.projection.shape[1]), np.float32)
    start = 0
    for group in groups if len(photos) else ():
        part = slice(start, start + sizes[group])
        points += project(read(photos, view, group), reduction.projection[part], reduction.offset[part])
        start = part.stop
    return points


def solution_of(weight: Floats, bias: Floats, reduction: Reduction) -> tuple[Floats, Floats]:
    """Return the weight (K, P) and bias (K,) along the axes of a linear head that reads the features.

    The inverse of what makes a head from a solution: exact for heads that were made with these axes.

    Args:
        weight: Shape (K, D).
        bias: Shape (K,).
        reduction: The axes.
    """
    projection = reduction.projection.astype(np.float64)
    inner = np.linalg.solve(projection.T @ projection, projection.T @ weight.T.astype(np.float64)).T
    return inner.astype(np.float32), (bias + weight @ reduction.offset).astype(np.float32)
