"""A source's table: set, date, split, answers and attributes of each photo that it names."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from coachworks.errors import DataError
from coachworks.fleet.names import slug
from coachworks.photos import exif_date
from coachworks.tables import CATALOGUE, SPLITS, SUSPICIOUS_LABELS
from coachworks.wording import listed
from components.ingest.table_file import Cells, TableFile, cell_text, cell_value, parse_table

_TEXT_COLUMNS = ("set_id", "source", "permission")
KNOWN_COLUMNS = {*_TEXT_COLUMNS, "taken_at", "split"}
COMPUTED_COLUMNS = set(CATALOGUE) - KNOWN_COLUMNS - {"filename"}
_SPLIT_ALIASES = {**{name: name for name in SPLITS}, "val": "validation", "valid": "validation", "dev": "validation"}
_MOST_SHARED = 100_000  # different values that rows share
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_SHOWN = 5  # examples of each problem, so that a message stays readable


class Row(NamedTuple):  # made in a third of a dataclass's time: a table may have millions
    """A table's statements about one file.

    Attributes:
        line: Line of the table (the header is 1), for messages.
        filename: As written, cleaned of surrounding space.
        set_id: Set, or None.
        source: Source, or None.
        permission: Licence or permission, or None.
        taken_at: Local time of the camera, or None.
        split: One of `tables.SPLITS`, or None.
        answers: Label per skill; skills without one are absent.
        attributes: Further columns; empty cells are absent.
        photo_id: In a list of suspicious labels, the photo that the answers are about; else None.
    """

    line: int
    filename: str
    set_id: str | None = None
    source: str | None = None
    permission: str | None = None
    taken_at: datetime | None = None
    split: str | None = None
    answers: Mapping[str, str] = _NOTHING
    attributes: Mapping[str, Any] = _NOTHING
    photo_id: str | None = None


@dataclass
class SourceTable:
    """A table's rows and its oddities.

    Attributes:
        rows: One per filename, in the table's order.
        malformed: (line, message) of rows that could not be read.
        remarks: (filename or table, message) of what was taken in but not as written.
        cut: Whether the table has more rows than these.
    """

    rows: list[Row] = field(default_factory=list)
    malformed: list[tuple[int, str]] = field(default_factory=list)
    remarks: list[tuple[str, str]] = field(default_factory=list)
    cut: bool = False


def read_source_table(
    name: str,
    data: bytes,
    skills: Collection[str],
    renamed: Mapping[str, str] = MappingProxyType({}),
    most_cells: int | None = None,
) -> SourceTable:
    """Read the rows of the table called `name`.

    Args:
        name: Its file name; the suffix tells Parquet from CSV.
        data: CSV (comma, semicolon or tab; UTF-8, or UTF-16 with a byte-order mark) or Parquet.
        skills: Names of the skills: columns that hold labels.
        renamed: The skill of each earlier name, which its column may still have.
        most_cells: Cells after which to stop; None: all.

    Raises:
        DataError: it cannot be read, has no filename column, demands an unknown split, or contradicts itself.
    """
    return interpret(parse_table(name, data, most_cells), skills, renamed)


def interpret(
    file: TableFile, skills: Collection[str], renamed: Mapping[str, str] = MappingProxyType({})
) -> SourceTable:
    """Return what the cells of a table mean; arguments and errors as `read_source_table`."""
    table = SourceTable()
    reader = _RowReader(_roles(file, skills, renamed, table), table)
    problems = reader.problems
    rows: dict[str, Row] = {}
    for line, cells in file.lines():
        row = reader.row(line, cells)
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
        reasons = (f"{rule}; got {listed(cases, _SHOWN)}" for rule, cases in problems.items())
        raise DataError(f"table {file.name}: {'; '.join(reasons)}")
    table.malformed += file.malformed
    table.malformed.sort()
    table.rows, table.cut = list(rows.values()), file.cut
    return table


def _roles(
    file: TableFile, skills: Collection[str], renamed: Mapping[str, str], table: SourceTable
) -> dict[str, list[tuple[int, str]]]:
    """Return (index, name) of the columns by role: filename, known, skill, attribute. Ignored columns are left out."""
    lower = [column.strip().lower() for column in file.columns]
    doubled = sorted(column for column, count in Counter(lower).items() if column and count > 1)
    if doubled:
        raise DataError(f"table {file.name} must name each column once; got twice: {', '.join(doubled)}")
    filename = file.filename_column()
    roles: dict[str, list[tuple[int, str]]] = {"filename": [], "known": [], "skill": [], "attribute": [], "photo": []}
    is_list = not set(SUSPICIOUS_LABELS).isdisjoint(lower)
    answered: dict[str, str] = {}
    for index, (column, low) in enumerate(zip(file.columns, lower, strict=True)):
        skill = slug(low)  # as `coachworks init` names the skill of a column
        skill = renamed.get(skill, skill)
        if column == filename:
            roles["filename"].append((index, low))
        elif low in KNOWN_COLUMNS:
            roles["known"].append((index, low))
        elif skill in skills:
            if skill in answered:
                raise DataError(
                    f"table {file.name} must have one column for the skill {skill!r}; "
                    f"got {answered[skill]!r} and {column!r}. Remove one of them."
                )
            answered[skill] = column
            roles["skill"].append((index, skill))
        elif is_list and low == "photo_id":
            roles["photo"].append((index, low))
        elif low in COMPUTED_COLUMNS:
            table.remarks.append((file.name, f"the column {column!r} is ignored: ingest computes it"))
        elif low and low not in SUSPICIOUS_LABELS:
            roles["attribute"].append((index, column.strip()))
    return roles


class _RowReader:
    """Turns the cells of a table into rows; rows of equal answers share them, since a table may have millions.

    Attributes:
        problems: Values that make the table unusable, by the rule that they violate.
    """

    def __init__(self, roles: Mapping[str, list[tuple[int, str]]], table: SourceTable) -> None:
        self.problems: dict[str, list[str]] = {}
        self._roles, self._table = roles, table
        self._answers: dict[tuple[Any, ...], Mapping[str, str]] = {}
        self._texts: dict[str, str] = {}

    def row(self, line: int, cells: Cells) -> Row | None:
        """Return the row; None where it names no file."""
        name = self._values("filename", cells)
        if not name:
            self._table.malformed.append((line, f"line {line} names no file"))
            return None
        filename, known = cell_text(name.popitem()[1]), self._values("known", cells)
        return Row(
            line,
            filename,
            self._text(known["set_id"]) if "set_id" in known else None,
            self._text(known["source"]) if "source" in known else None,
            self._text(known["permission"]) if "permission" in known else None,
            self._taken_at(filename, known["taken_at"]) if "taken_at" in known else None,
            self._split(line, known["split"]) if "split" in known else None,
            self._answers_of(cells),
            self._attributes(cells) if self._roles["attribute"] else _NOTHING,
            self._values("photo", cells).get("photo_id") if self._roles["photo"] else None,
        )

    def _values(self, role: str, cells: Cells) -> dict[str, Any]:
        """Return the values of a role's columns by name, without empty cells; CSV rows may end early."""
        count, values = len(cells), {}
        for index, name in self._roles[role]:
            if index < count:
                cell = cells[index]
                value = cell.strip() or None if type(cell) is str else cell_value(cell)
                if value is not None:
                    values[name] = value
        return values

    def _attributes(self, cells: Cells) -> Mapping[str, Any]:
        values = self._values("attribute", cells)
        return {name: self._text(value) if type(value) is str else value for name, value in values.items()}

    def _text(self, value: Any) -> str:
        text = value if type(value) is str else cell_text(value)
        if len(self._texts) > _MOST_SHARED:
            self._texts.clear()
        return self._texts.setdefault(text, text)

    def _answers_of(self, cells: Cells) -> Mapping[str, str]:
        count = len(cells)
        key = tuple([cells[index] if index < count else None for index, _ in self._roles["skill"]])
        try:
            answers = self._answers.get(key)
        except TypeError:  # a list in Parquet
            return {name: cell_text(value) for name, value in self._values("skill", cells).items()}
        if answers is None:
            if len(self._answers) > _MOST_SHARED:
                self._answers.clear()
            answers = {name: cell_text(value) for name, value in self._values("skill", cells).items()}
            self._answers[key] = answers
        return answers

    def _split(self, line: int, value: Any) -> str | None:
        split = _SPLIT_ALIASES.get(cell_text(value).lower())
        if split is None:
            problem = f"{value!r} (line {line})"
            self.problems.setdefault(f"split must be one of {', '.join(SPLITS)}", []).append(problem)
        return split

    def _taken_at(self, filename: str, value: Any) -> datetime | None:
        taken_at = parse_date(value)
        if taken_at is None:
            message = f"taken_at must be a date such as 2024-05-01 12:30; got {value!r}: left empty"
            self._table.remarks.append((filename, message))
        return taken_at


def parse_date(value: Any) -> datetime | None:
    """Parse a date as ISO 8601 or EXIF writes it, or as Parquet holds it; return None for anything else.

    An offset from UTC is dropped, not applied: `taken_at` is the camera's local time.

    >>> parse_date("2024-05-01T12:30:00+02:00")
    datetime.datetime(2024, 5, 1, 12, 30)
    >>> parse_date("03/04/2024")  # ambiguous: March or April
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return exif_date(value)
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo is None else value.replace(tzinfo=None)


def merge_rows(first: Row, second: Row) -> Row | None:
    """Merge two rows of one file; return None where they contradict each other."""
    if first[2:] == second[2:]:  # all that they state
        return first
    merged: dict[str, Any] = {}
    for name in ("set_id", "source", "permission", "taken_at", "split", "photo_id"):
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
