"""The cells of a table file, CSV or Parquet, as people write them."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from coachworks.errors import DataError

FILENAME_COLUMNS = ("filename", "path", "file")
PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})
TABLE_SUFFIXES = PARQUET_SUFFIXES | {".csv", ".tsv"}

Cells = Mapping[str, Any]


@dataclass(frozen=True)
class TableFile:
    """The cells of a table.

    Attributes:
        name: Its file name, for messages.
        columns: Names of its columns, as written.
        lines: (line, cells by column) of each row; the header is line 1.
        malformed: (line, message) of rows that have more cells than the header.
        cut: Whether it has more rows than these.
    """

    name: str
    columns: Sequence[str]
    lines: Sequence[tuple[int, Cells]]
    malformed: Sequence[tuple[int, str]] = field(default=())
    cut: bool = False

    def filename_column(self) -> str:
        """Return the column that names the photos, as written.

        Raises:
            DataError: there is none.
        """
        by_lower = {column.strip().lower(): column for column in reversed(self.columns)}
        for name in FILENAME_COLUMNS:
            if name in by_lower:
                return by_lower[name]
        raise DataError(
            f"table {self.name} must have a column {' or '.join(FILENAME_COLUMNS)}; its columns are "
            f"{', '.join(self.columns) or 'none'}. Name the column of file names `filename`."
        )


def parse_table(name: str, data: bytes, most_cells: int | None = None) -> TableFile:
    """Parse the bytes of a table.

    Args:
        name: Its file name; the suffix tells Parquet from CSV.
        data: CSV (comma, semicolon or tab; UTF-8, or UTF-16 with a byte-order mark) or Parquet.
        most_cells: Cells after which to stop; None: all.

    Raises:
        DataError: it cannot be read.
    """
    if PurePosixPath(name).suffix.lower() in PARQUET_SUFFIXES:
        return _read_parquet(name, data, most_cells)
    return _read_csv(name, data, most_cells)


def _read_parquet(name: str, data: bytes, most_cells: int | None) -> TableFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        rows = None if most_cells is None else max(1, most_cells // max(1, len(file.schema_arrow)))
        cut = rows is not None and file.metadata.num_rows > rows
        table = pa.Table.from_batches([next(file.iter_batches(batch_size=rows))]) if cut else file.read()
    except (pa.ArrowException, OSError) as err:
        raise DataError(f"table {name} cannot be read as Parquet: {err}") from err
    return TableFile(name, list(table.column_names), list(enumerate(table.to_pylist(), start=2)), cut=cut)


def _read_csv(name: str, data: bytes, most_cells: int | None) -> TableFile:
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as err:
        line = data[: err.start].count(b"\n") + 1
        raise DataError(
            f"table {name} must be UTF-8; line {line} holds the byte {data[err.start]:#04x}. "
            "Save it as UTF-8 (in a spreadsheet: CSV UTF-8)."
        ) from err
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    columns: list[str] = []
    malformed: list[tuple[int, str]] = []
    lines: list[tuple[int, Cells]] = []
    cut = False
    try:
        for cells in reader:
            line = reader.line_num
            if most_cells is not None and len(lines) * len(columns) >= most_cells:
                cut = True
                break
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = [cell.strip() for cell in cells]
            elif any(cell.strip() for cell in cells[len(columns) :]):
                malformed.append((line, f"line {line} has {len(cells)} cells; the header has {len(columns)}"))
            else:
                lines.append((line, dict(zip(columns, cells, strict=False))))
    except csv.Error as err:
        raise DataError(f"table {name}, line {reader.line_num}: it cannot be read as CSV: {err}") from err
    return TableFile(name, columns, lines, malformed, cut)


def _delimiter(text: str) -> str:
    """Return the delimiter with which the first line names a filename column; a comma where none does."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    for delimiter in (",", ";", "\t"):
        cells = next(csv.reader([header], delimiter=delimiter), [])
        if any(cell.strip().lower() in FILENAME_COLUMNS for cell in cells):
            return delimiter
    return ","


def cell_value(value: Any) -> Any:
    """Return a cell's value; None for an empty one."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def cell_text(value: Any) -> str:
    """Return a cell's value as text; whole numbers that Parquet stores as floats (for empty cells) as whole numbers.

    >>> cell_text(3.0), cell_text("cat")
    ('3', 'cat')
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
