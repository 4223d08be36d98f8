"""A source's files with what is said about each: by its table, or by the sub-folder it lies in."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from coachworks.errors import DataError, InvalidConfigError, NotFoundError
from coachworks.fleet.model import Fleet, Source
from components.ingest.folder_walk import Found, is_document, printable, walk
from components.ingest.name_match import NameMatch
from components.ingest.report import Aside, Rejection, Remark
from components.ingest.source_table import Row, merge_rows, read_source_table


@dataclass(frozen=True)
class Item:
    """A file that may be a photo, and what is said about it.

    Attributes:
        found: The file.
        origin: Name of the source in the fleet file: tells equal file names of two sources apart.
        source: Name of the source, as the table's row or else the fleet file says.
        permission: Likewise.
        row: What is said about the file; with neither set nor answers where nothing is.
    """

    found: Found
    origin: str
    source: str
    permission: str | None
    row: Row


@dataclass
class SourceFiles:
    """What a source holds.

    Attributes:
        items: Files that may be photos, in order.
        rejections: Files and rows set aside without reading a file.
        remarks: What was taken in, but not as written.
        ignored: Files that are plainly no photos.
    """

    items: list[Item] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    ignored: int = 0


def source_name(source: Source) -> str:
    """The source's name: as the fleet file says, or its folder's."""
    return source.source or Path(os.path.normpath(source.photos)).name


def read_source(source: Source, fleet: Fleet, store_folder: Path | None) -> SourceFiles:
    """The files of `source`; no photo is read yet.

    Args:
        source: A source of the located fleet.
        fleet: The fleet: its skills are the columns that hold labels.
        store_folder: Where the store lies, if it is a folder: not to be entered should it lie among the photos.

    Raises:
        NotFoundError: the folder or the table does not exist.
        InvalidConfigError: `photos` is no folder.
        DataError: the table cannot be used.
    """
    folder, name = Path(source.photos), source_name(source)
    if not folder.exists():
        raise NotFoundError(f"photos {source.photos!r} does not exist. Correct `photos` of this source.")
    if not folder.is_dir():
        raise InvalidConfigError(f"photos must be a folder; got {source.photos!r}, a file")
    result = SourceFiles()
    found: dict[str, Found] = {}
    for entry in walk(folder, name, leave_out=store_folder):
        if isinstance(entry, Rejection):
            result.rejections.append(entry)
        else:
            found[entry.name] = entry
    table = None
    if source.table is None:
        rows = _rows_of_folders(source, found)
    else:
        table = Path(source.table).resolve()
        rows = _rows_of_table(source, fleet, found, result)
    for file_name, file in found.items():
        row = rows.get(file_name)
        if row is None and (is_document(file_name) or file.path.resolve() == table):
            result.ignored += 1
            continue
        row = row or Row(line=0, filename=file_name)
        result.items.append(
            Item(
                found=file,
                origin=name,
                source=row.source or name,
                permission=row.permission or source.permission,
                row=row,
            )
        )
    return result


def _rows_of_table(source: Source, fleet: Fleet, found: dict[str, Found], result: SourceFiles) -> dict[str, Row]:
    """Row per file that the table names; rows that fit no file are set aside."""
    path, name = Path(str(source.table)), source_name(source)
    table = read_source_table(path, fleet.spec.skills)
    result.remarks += [Remark(file, name, message) for file, message in table.remarks]
    result.rejections += [Rejection(path.name, name, Aside.MALFORMED_ROW, message) for _, message in table.malformed]
    match = NameMatch(Path(source.photos), path, found)
    unreadable = {rejection.file for rejection in result.rejections}
    rows: dict[str, Row] = {}
    for row in table.rows:
        target = match.find(row.filename)
        if isinstance(target, Aside):
            if row.filename not in unreadable:
                where = f"line {row.line} of {path.name} names it, but"
                message = {
                    Aside.MISSING: f"{where} there is no such photo",
                    Aside.OUTSIDE: f"{where} it is outside of the folder of photos",
                }[target]
                result.rejections.append(Rejection(printable(row.filename), name, target, message))
            continue
        known = rows.get(target)
        merged = row if known is None else merge_rows(known, row)
        if merged is None:
            raise DataError(
                f"table {path.name}: a file must be listed once, or with equal values; "
                f"got {printable(target)!r} (lines {known.line if known else row.line} and {row.line})"
            )
        rows[target] = merged
    return rows


def _rows_of_folders(source: Source, names: Iterable[str]) -> dict[str, Row]:
    """Row per file in a sub-folder: the name of the direct sub-folder is the label of the source's skill."""
    rows: dict[str, Row] = {}
    for name in names:
        folder, slash, _ = name.partition("/")
        if slash and not is_document(name):
            rows[name] = Row(line=0, filename=name, answers={str(source.skill): printable(folder)})
    return rows
