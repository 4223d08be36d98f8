"""Training data of one skill's network, in files that are read without being loaded: activations are large."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from coachworks.feature_groups import ACTIVATION
from components.train.reading import Read

Array = NDArray[Any]
Floats = NDArray[np.float32]

_ROWS = 1024  # photos whose activations are in memory together
_LARGEST = float(np.finfo(np.float16).max)


def write_activations(read: Read, photo_ids: Sequence[str], view: int, size: int, path: Path) -> None:
    """Write the activations of photos in one view to a file, float16 (N, A), as they are in the feature cache."""
    table = open_memmap(path, mode="w+", dtype=np.float16, shape=(len(photo_ids), size))
    activations = read(photo_ids, view, ACTIVATION)
    for start in range(0, len(photo_ids), _ROWS):
        rows = slice(start, start + _ROWS)
        table[rows] = np.clip(activations[rows], -_LARGEST, _LARGEST)
    table.flush()


@dataclass(frozen=True, eq=False, kw_only=True)
class TuningData:
    """Data of a skill: V views of N training photos, the clean one first, and M validation photos.

    Attributes:
        activations: The activations of each view, float16, each of shape (P, A): of all photos of the lane.
        rows: Rows of the skill's training photos in these, int64, shape (N,).
        offsets: What the frozen part adds to the logits, float32, shape (V, N, K).
        answers: Label indices in each view, int64, shape (V, N).
        weights: Weight of each photo in each view, float32, shape (V, N); 0 where it must not be learnt from.
        validation: Activations of the lane's validation photos, float16, shape (Q, A).
        validation_rows: Rows of the skill's validation photos in these, shape (M,).
        validation_offsets: Their offsets, shape (M, K).
        validation_answers: Their label indices, shape (M,).
    """

    activations: tuple[Array, ...]
    rows: Array
    offsets: Floats
    answers: Array
    weights: Floats
    validation: Array
    validation_rows: Array
    validation_offsets: Floats
    validation_answers: Array


_TABLES = ("rows", "offsets", "answers", "weights", "validation_rows", "validation_offsets", "validation_answers")


def save_data(data: TuningData, tables: Sequence[Path], validation: Path, folder: Path) -> None:
    """Write the data into a folder, the activations by the paths of their files."""
    for name in _TABLES:
        np.save(folder / f"{name}.npy", getattr(data, name))
    files = {"activations": [str(path) for path in tables], "validation": str(validation)}
    (folder / "activations.json").write_text(json.dumps(files), "utf-8")


def load_data(folder: Path) -> TuningData:
    """Read the data that `save_data` wrote."""
    files = json.loads((folder / "activations.json").read_text("utf-8"))
    return TuningData(
        activations=tuple(np.load(path, mmap_mode="r") for path in files["activations"]),
        validation=np.load(files["validation"], mmap_mode="r"),
        **{name: np.load(folder / f"{name}.npy") for name in _TABLES},
    )
