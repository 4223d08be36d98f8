"""The cells of a table file, CSV or Parquet, as people write them."""

import csv
import io
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TextIO

from coachworks.errors import DataError
from coachworks.wording import listed
from components.ingest.parquet_file import read_parquet
from components.ingest.table_bounds import BOUNDS, TableBounds

if TYPE_CHECKING:
    import pyarrow as pa

FILENAME_COLUMNS = ("filename", "path", "file")
PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})
TABLE_SUFFIXES = PARQUET_SUFFIXES | {".csv", ".tsv"}

_SHOWN = 20  # columns in a message
_CSV = f"Quotes must be closed, and a cell must have at most {csv.field_size_limit():,} characters."

Cells = Sequence[Any]


@dataclass
class TableFile:
    """The cells of a table.

    Attributes:
        name: Its file name, for messages.
        columns: Names of its columns, as written.
        malformed: (line, message) of rows that have more cells than the header; known once the lines were read.
        cut: Whether it has more rows than those that were read; known likewise.
    """

    name: str
    columns: Sequence[str]
    _read: Callable[["TableFile"], Iterator[tuple[int, Cells]]] = field(repr=False)
    malformed: list[tuple[int, str]] = field(default_factory=list)
    cut: bool = False

    def lines(self) -> Iterator[tuple[int, Cells]]:
        """Yield (line, cells) of each row, in the order of the columns, perhaps fewer; the header is line 1.

        They are read anew each time, since a table's cells may take far more memory than its file.

        Raises:
            DataError: the table cannot be read on.
        """
        self.malformed.clear()
        return self._read(self)

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
            f"{listed(self.columns, _SHOWN) if self.columns else 'none'}. Name the column of file names `filename`."
        )


def parse_table(name: str, data: bytes, most_cells: int | None = None, bounds: TableBounds = BOUNDS) -> TableFile:
    """Parse the bytes of a table.

    Args:
        name: Its file name; the suffix tells Parquet from CSV.
        data: CSV (comma, semicolon or tab; UTF-8, or UTF-16 with a byte-order mark) or Parquet.
        most_cells: Cells after which to stop; None: all.
        bounds: Bounds of the table.

    Raises:
        DataError: it cannot be read, or is beyond the bounds.
    """
    if len(data) > bounds.bytes:
        raise DataError(f"table {name} must have at most {bounds.bytes // 1024**2} MiB; it has more. {bounds.WAY_OUT}")
    if PurePosixPath(name).suffix.lower() in PARQUET_SUFFIXES:
        return _parquet(name, data, most_cells, bounds)
    return _csv(name, data, most_cells, bounds)


def _parquet(name: str, data: bytes, most_cells: int | None, bounds: TableBounds) -> TableFile:
    schema, batches, cut = read_parquet(name, data, bounds, most_cells)
    rows = None if most_cells is None else max(1, most_cells // max(1, len(schema)))

    def read(table: TableFile) -> Iterator[tuple[int, Cells]]:
        table.cut = cut
        cells = (row for batch in batches for row in zip(*_values(name, batch), strict=True))
        return enumerate(islice(cells, rows), start=2)

    return TableFile(name, list(schema.names), read)


def _values(name: str, batch: "pa.RecordBatch") -> list[list[Any]]:
    try:
        return [column.to_pylist() for column in batch.columns]
    except (ValueError, OverflowError) as err:
        raise DataError(f"table {name} holds a value that cannot be read: {err}. Correct it.") from err


def _csv(name: str, data: bytes, most_cells: int | None, bounds: TableBounds) -> TableFile:
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"

    def open_text() -> TextIO:
        return io.TextIOWrapper(io.BytesIO(data), encoding, newline="")

    def read(table: TableFile) -> Iterator[tuple[int, Cells]]:
        table.cut = False
        width = len(table.columns)
        most_rows = most_cells // max(1, width) if most_cells is not None else sys.maxsize
        count = -1  # the header
        for line, cells in _records(name, open_text(), delimiter, bounds, data, encoding):
            if not any(map(str.strip, cells)):
                continue
            count += 1
            if count == 0:
                continue
            if count > most_rows:
                table.cut = True
                return
            if count * width > bounds.cells:
                raise _too_much(name, f"{bounds.cells:,} cells", bounds)
            if len(cells) > width and any(cell.strip() for cell in cells[width:]):
                table.malformed.append((line, f"line {line} has {len(cells)} cells; the header has {width}"))
            else:
                yield line, cells

    with _readable(name, data, encoding):
        delimiter = _delimiter(next((line for line in _lines(name, open_text(), bounds) if line.strip()), ""))
    header = (cells for _, cells in _records(name, open_text(), delimiter, bounds, data, encoding))
    columns = [cell.strip() for cell in next((cells for cells in header if any(map(str.strip, cells))), [])]
    if len(columns) > bounds.columns:
        raise _too_much(name, f"{bounds.columns:,} columns", bounds, f"{len(columns):,}")
    return TableFile(name, columns, read)


def _records(
    name: str, text: TextIO, delimiter: str, bounds: TableBounds, data: bytes, encoding: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield the line and the cells of each record of a CSV."""
    reader = csv.reader(_lines(name, text, bounds), delimiter=delimiter, strict=True)
    with _readable(name, data, encoding):
        try:
            for cells in reader:
                yield reader.line_num, cells
        except csv.Error as err:
            raise DataError(f"table {name}, line {reader.line_num}: it cannot be read as CSV: {err}. {_CSV}") from err


def _lines(name: str, text: TextIO, bounds: TableBounds) -> Iterator[str]:
    for number, line in enumerate(iter(partial(text.readline, bounds.line_chars + 1), ""), start=1):
        if len(line) > bounds.line_chars:
            raise _too_much(name, f"{bounds.line_chars:,} characters in a line", bounds, f"more in line {number}")
        if number > bounds.rows + 1:
            raise _too_much(name, f"{bounds.rows:,} lines", bounds)
        yield line


def _too_much(name: str, most: str, bounds: TableBounds, actual: str = "more") -> DataError:
    return DataError(f"table {name} must have at most {most}; it has {actual}. {bounds.WAY_OUT}")


@contextmanager
def _readable(name: str, data: bytes, encoding: str) -> Iterator[None]:
    """Turn what cannot be decoded into an error that names the line."""
    try:
        yield
    except UnicodeError as err:
        try:
            data.decode(encoding)  # the first error was in a part of the file
        except UnicodeDecodeError as whole:
            line = data[: whole.start].count(b"\n") + 1
            message = f"line {line} holds the byte {data[whole.start]:#04x}"
        else:
            message = str(err)
        raise DataError(
            f"table {name} must be UTF-8; {message}. Save it as UTF-8 (in a spreadsheet: CSV UTF-8)."
        ) from err


def _delimiter(header: str) -> str:
    """Return the delimiter with which the first line names a filename column; a comma where none does."""
    for delimiter in (",", ";", "\t"):
        with suppress(csv.Error):  # a cell without end: reading on says so
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
