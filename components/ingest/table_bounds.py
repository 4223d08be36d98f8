"""Bounds of a source's table, so that none takes memory or time without end."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class TableBounds:
    """Bounds of a table.

    Attributes:
        bytes: Of the file, and of what Parquet becomes when it is decoded.
        rows: Lines of a CSV, also empty ones; rows of Parquet.
        columns: Columns.
        cells: Rows times columns.
        line_chars: Characters of one line of a CSV.
        memory_bytes: Memory of the process that decodes Parquet.
        cpu_s: CPU time of the process that decodes Parquet.
    """

    WAY_OUT: ClassVar[str] = "Split it over several sources, or write only the rows and columns that are needed."

    bytes: int = 512 * 1024**2
    rows: int = 5_000_000
    columns: int = 20_000
    cells: int = 50_000_000
    line_chars: int = 16 * 1024**2
    memory_bytes: int = 2 * 1024**3
    cpu_s: int = 60


BOUNDS = TableBounds()
