"""Tables of features that are read block by block: large ones lie in a file, of which only the rows at hand are read.

An array is a table, too. All tables of the same numbers give the same blocks, so that what is computed from blocks does
not depend on the place of the numbers.
"""

import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float32]
Rows = slice | Array

BLOCK_ROWS = 4096
IN_MEMORY_BYTES = 128 << 20  # larger tables lie in a file


class FeatureTable(Protocol):
    """Features of N photos, shape (N, D), of which some rows are read at a time."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The pair (N, D)."""

    def __getitem__(self, rows: Any, /) -> Any:
        """Return the rows of a slice or of an array of indices, float32, shape (n, D)."""


class FeatureFile:
    """Features in a temporary file without a name, which ends with this object or with its process, even a killed one.

    Args:
        folder: Folder on the file system that has room for it.
        photos: Number of rows.
        numbers: Number of columns.
    """

    def __init__(self, folder: Path, photos: int, numbers: int) -> None:
        self.shape = (photos, numbers)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 — closed with this object
        self._file.truncate(photos * self._row_bytes)
        weakref.finalize(self, _close, self._file)

    @property
    def _row_bytes(self) -> int:
        return 4 * self.shape[1]

    def __setitem__(self, places: Sequence[int], rows: Array) -> None:
        """Write rows to their places."""
        for place, row in zip(places, np.asarray(rows, np.float32), strict=True):
            self._file.seek(place * self._row_bytes)
            self._file.write(row.data)
        self._file.flush()  # here, where a full disk can be reported

    def __getitem__(self, rows: Rows) -> Floats:
        """Return the rows of a slice or of an array of indices, float32, shape (n, D)."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(self.shape[0])
            if step == 1:
                block = np.empty((max(0, stop - start), self.shape[1]), np.float32)
                self._file.seek(start * self._row_bytes)
                self._file.readinto(block.data.cast("B") if block.size else bytearray())
                return block
            rows = np.arange(start, stop, step)
        block = np.empty((len(rows), self.shape[1]), np.float32)
        for target, place in enumerate(rows.tolist()):
            self._file.seek(place * self._row_bytes)
            self._file.readinto(block[target].data.cast("B"))
        return block


def _close(file: IO[bytes]) -> None:
    with suppress(OSError):  # of a full disk, which was reported by the write
        file.close()


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Tables of the same photos as one table, with the columns of all."""

    parts: Sequence[FeatureTable]

    @property
    def shape(self) -> tuple[int, ...]:
        """The pair (N, D)."""
        return self.parts[0].shape[0], sum(part.shape[1] for part in self.parts)

    def __getitem__(self, rows: Rows) -> Array:
        """Return the rows of a slice or of an array of indices."""
        return np.concatenate([part[rows] for part in self.parts], axis=1)


@dataclass(frozen=True, eq=False)
class Selected:
    """Some photos of a table, by the indices of their rows."""

    table: FeatureTable
    rows: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """The pair (N, D)."""
        return len(self.rows), self.table.shape[1]

    def __getitem__(self, rows: Rows) -> Array:
        """Return the rows of a slice or of an array of indices."""
        return cast(Array, self.table[self.rows[rows]])


def side_by_side(parts: Sequence[FeatureTable]) -> FeatureTable:
    """Return tables of the same photos as one table; a single one is that table."""
    return parts[0] if len(parts) == 1 else SideBySide(parts)


def new_table(folder: Path, photos: int, numbers: int) -> Floats | FeatureFile:
    """Return a table to be written: an array, or a file in `folder` if it is larger than `IN_MEMORY_BYTES`."""
    if 4 * photos * numbers <= IN_MEMORY_BYTES:
        return np.empty((photos, numbers), np.float32)
    return FeatureFile(folder, photos, numbers)


def blocks(table: FeatureTable, rows: int = BLOCK_ROWS) -> Iterator[Array]:
    """Yield the rows of a table in blocks of `rows`; one block without rows if the table has none."""
    for start in range(0, max(1, table.shape[0]), rows):
        yield table[start : start + rows]
