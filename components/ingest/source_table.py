"""A source's table: what it says about each photo, from CSV or Parquet as people write them."""

import csv
import io
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import PurePosixPath
from typing import Any

from coachworks.errors import DataError
from coachworks.fleet.names import slug
from coachworks.photos import exif_date
from coachworks.tables import CATALOGUE, SPLITS

FILENAME_COLUMNS = ("filename", "path", "file")
_TEXT_COLUMNS = ("set_id", "source", "permission")
_KNOWN = {*_TEXT_COLUMNS, "taken_at", "split"}
_COMPUTED = set(CATALOGUE) - _KNOWN - {"filename"}
_SPLIT_ALIASES = {**{name: name for name in SPLITS}, "val": "validation", "valid": "validation", "dev": "validation"}
_SHOWN = 5  # of equal problems, so that a message stays readable

Cells = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """What a table says about one file.

    Attributes:
        line: Line of the table (the header is 1), to speak of in messages.
        filename: As written, cleaned of surrounding space.
        set_id: Set, or None.
        source: Source, or None.
        permission: Licence or permission, or None.
        taken_at: Local time of the camera, or None.
        split: One of `tables.SPLITS`, or None.
        answers: Label per skill; skills without one are absent.
        attributes: Further columns; empty cells are absent.
    """

    line: int
    filename: str
    set_id: str | None = None
    source: str | None = None
    permission: str | None = None
    taken_at: datetime | None = None
    split: str | None = None
    answers: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class SourceTable:
    """A table's rows and what was odd about it.

    Attributes:
        rows: One per filename, in the table's order.
        malformed: (line, message) of rows that could not be read.
        remarks: (filename or table, message) of what was taken in but not as written.
    """

    rows: list[Row] = field(default_factory=list)
    malformed: list[tuple[int, str]] = field(default_factory=list)
    remarks: list[tuple[str, str]] = field(default_factory=list)


def read_source_table(name: str, data: bytes, skills: Collection[str]) -> SourceTable:
    """The rows of the table called `name`.

    Args:
        name: Its file name; it says whether it is Parquet.
        data: CSV (comma, semicolon or tab; UTF-8, or UTF-16 with a byte-order mark) or Parquet.
        skills: Names of the skills: columns that hold labels.

    Raises:
        DataError: it cannot be read, has no filename column, demands an unknown split, or contradicts itself.
    """
    table = SourceTable()
    parquet = PurePosixPath(name).suffix.lower() in {".parquet", ".pq"}
    columns, lines = _read_parquet(name, data) if parquet else _read_csv(name, data, table)
    roles = _roles(name, columns, skills, table)
    problems: dict[str, list[str]] = {}
    rows: dict[str, Row] = {}
    for line, cells in lines:
        row = _row(line, cells, roles, table, problems)
        if row is None:
            continue
        known = rows.get(row.filename)
        merged = row if known is None else merge_rows(known, row)
        if merged is None:
            problems.setdefault("a file must be listed once, or with equal values", []).append(
                f"{row.filename!r} (lines {known.line if known else line} and {line})"
            )
        else:
            rows[row.filename] = merged
    if problems:
        raise DataError(f"table {name}: " + "; ".join(_told(rule, cases) for rule, cases in problems.items()))
    table.rows = list(rows.values())
    return table


def _told(rule: str, cases: list[str]) -> str:
    more = f" and {len(cases) - _SHOWN} more" if len(cases) > _SHOWN else ""
    return f"{rule}; got {', '.join(cases[:_SHOWN])}{more}"


def _read_parquet(name: str, data: bytes) -> tuple[list[str], list[tuple[int, Cells]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as err:
        raise DataError(f"table {name} cannot be read as Parquet: {err}") from err
    return list(table.column_names), list(enumerate(table.to_pylist(), start=2))


def _read_csv(name: str, data: bytes, table: SourceTable) -> tuple[list[str], list[tuple[int, Cells]]]:
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
    lines: list[tuple[int, Cells]] = []
    try:
        for cells in reader:
            line = reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = [cell.strip() for cell in cells]
            elif any(cell.strip() for cell in cells[len(columns) :]):
                table.malformed.append((line, f"line {line} has {len(cells)} cells; the header has {len(columns)}"))
            else:
                lines.append((line, dict(zip(columns, cells, strict=False))))
    except csv.Error as err:
        raise DataError(f"table {name}, line {reader.line_num}: it cannot be read as CSV: {err}") from err
    return columns, lines


def _delimiter(text: str) -> str:
    """The delimiter with which the first line names a filename column."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    for delimiter in (",", ";", "\t"):
        cells = next(csv.reader([header], delimiter=delimiter), [])
        if any(cell.strip().lower() in FILENAME_COLUMNS for cell in cells):
            return delimiter
    return ","


def _roles(
    table_name: str, columns: list[str], skills: Collection[str], table: SourceTable
) -> dict[str, tuple[str, str]]:
    """Column -> (role, name), the role being filename, known, skill or attribute; ignored columns are left out."""
    lower = [column.strip().lower() for column in columns]
    doubled = sorted({column for column in lower if column and lower.count(column) > 1})
    if doubled:
        raise DataError(f"table {table_name} must name each column once; got twice: {', '.join(doubled)}")
    filename = next((name for name in FILENAME_COLUMNS if name in lower), None)
    if filename is None:
        raise DataError(
            f"table {table_name} must have a column {' or '.join(FILENAME_COLUMNS)}; its columns are "
            f"{', '.join(columns) or 'none'}. Name the column of file names `filename`."
        )
    roles: dict[str, tuple[str, str]] = {}
    answered: dict[str, str] = {}
    for column, low in zip(columns, lower, strict=True):
        skill = slug(low)  # as `coachworks init` names the skill of a column
        if low == filename:
            roles[column] = ("filename", low)
        elif low in _KNOWN:
            roles[column] = ("known", low)
        elif skill in skills:
            if skill in answered:
                raise DataError(
                    f"table {table_name} must have one column for the skill {skill!r}; "
                    f"got {answered[skill]!r} and {column!r}"
                )
            answered[skill] = column
            roles[column] = ("skill", skill)
        elif low in _COMPUTED:
            table.remarks.append((table_name, f"the column {column!r} is ignored: ingest computes it"))
        elif low:
            roles[column] = ("attribute", column.strip())
    return roles


def _row(
    line: int,
    cells: Cells,
    roles: Mapping[str, tuple[str, str]],
    table: SourceTable,
    problems: dict[str, list[str]],
) -> Row | None:
    values: dict[str, dict[str, Any]] = {"filename": {}, "known": {}, "skill": {}, "attribute": {}}
    for column, (role, name) in roles.items():
        value = _cleaned(cells.get(column))
        if value is not None:
            values[role][name] = value
    filename = next((_text(value) for value in values["filename"].values()), None)
    if filename is None:
        table.malformed.append((line, f"line {line} names no file"))
        return None
    known = values["known"]
    split = None
    if "split" in known:
        split = _SPLIT_ALIASES.get(_text(known["split"]).lower())
        if split is None:
            problems.setdefault(f"split must be one of {', '.join(SPLITS)}", []).append(
                f"{known['split']!r} (line {line})"
            )
    taken_at = parse_date(known.get("taken_at"))
    if taken_at is None and "taken_at" in known:
        table.remarks.append(
            (filename, f"taken_at must be a date such as 2024-05-01 12:30; got {known['taken_at']!r}: left empty")
        )
    return Row(
        line=line,
        filename=filename,
        taken_at=taken_at,
        split=split,
        answers={skill: _text(value) for skill, value in values["skill"].items()},
        attributes=values["attribute"],
        **{name: _text(known[name]) if name in known else None for name in _TEXT_COLUMNS},
    )


def _cleaned(value: Any) -> Any:
    """A cell's value; None for an empty one."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def _text(value: Any) -> str:
    """A cell as text; whole numbers that Parquet made floating (because of empty cells) as whole numbers."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def parse_date(value: Any) -> datetime | None:
    """A date as ISO 8601 or EXIF writes it, or as Parquet holds it; None for anything else.

    An offset from UTC is dropped, not applied: `taken_at` is the camera's local time.

    >>> parse_date("2024-05-01T12:30:00+02:00")
    datetime.datetime(2024, 5, 1, 12, 30)
    >>> parse_date("03/04/2024")  # March or April: we do not guess
    """
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value).replace(tzinfo=None)
    except ValueError:
        return exif_date(value)


def merge_rows(first: Row, second: Row) -> Row | None:
    """Two rows of one file as one; None where they contradict each other."""
    merged: dict[str, Any] = {}
    for name in ("set_id", "source", "permission", "taken_at", "split"):
        a, b = getattr(first, name), getattr(second, name)
        if a is not None and b is not None and a != b:
            return None
        merged[name] = b if a is None else a
    for name in ("answers", "attributes"):
        a, b = getattr(first, name), getattr(second, name)
        if any(a[key] != b[key] for key in a.keys() & b.keys()):
            return None
        merged[name] = {**a, **b}
    return Row(line=first.line, filename=first.filename, **merged)
