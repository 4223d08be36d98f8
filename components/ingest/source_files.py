"""A source's files, each with its row: from the table, or from the name of its sub-folder."""

import gc
import posixpath
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from coachworks.fleet.model import Fleet, Source
from components.ingest.listing import SourceFile, is_document, printable
from components.ingest.name_match import NameMatch, match_rows
from components.ingest.places import as_path, read_table_file, true_path, walk
from components.ingest.report import Aside, Rejection, Remark
from components.ingest.source_table import Row, read_source_table

_WITHOUT = {
    Aside.MISSING: "there is no such photo",
    Aside.OUTSIDE: "it is outside of the folder of photos",
}


@dataclass(frozen=True)
class Item:
    """A file that may be a photo, and its row.

    Attributes:
        file: The file.
        origin: Name of the source in the fleet file: distinguishes equal file names of two sources.
        source: Name of the source, from the table's row or else the fleet file.
        permission: Permission, likewise.
        row: Row of the table; an empty one where the table does not name the file.
    """

    file: SourceFile
    origin: str
    source: str
    permission: str | None
    row: Row


@dataclass
class SourceFiles:
    """Files of a source.

    Attributes:
        items: Files that may be photos, in order.
        rejections: Files and rows set aside without reading a file.
        remarks: Values that were not taken as written.
        ignored: Number of documents.
    """

    items: list[Item] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    ignored: int = 0


def source_name(source: Source) -> str:
    """Return the source's name: from the fleet file, or that of its folder or bucket."""
    return source.source or posixpath.basename(posixpath.normpath(as_path(source.photos)))


def read_source(source: Source, fleet: Fleet, store: str) -> SourceFiles:
    """List the files of `source`, without reading photos.

    Args:
        source: A source of the located fleet.
        fleet: The fleet: its skills are the columns that hold labels.
        store: Address of the store, which is left out if it lies among the photos.

    Raises:
        NotFoundError: the folder, bucket or table does not exist.
        InvalidConfigError: `photos` is no folder, or may not be listed.
        DataError: the table cannot be used.
    """
    name = source_name(source)
    result = SourceFiles()
    files: dict[str, SourceFile] = {}
    for entry in walk(source.photos, name, store=store, follow_links=source.follow_links):
        if isinstance(entry, Rejection):
            result.rejections.append(entry)
        else:
            files[entry.name] = entry
    table = None
    if source.table is None:
        rows = _rows_of_folders(source, files)
    else:
        table = true_path(source.table)
        rows = _rows_of_table(source, fleet, files, result)
    for file_name, file in files.items():
        row = rows.get(file_name)
        if row is None and (is_document(file_name) or file.true_place() == table):
            result.ignored += 1
            continue
        row = row or Row(line=0, filename=file_name)
        result.items.append(
            Item(
                file=file,
                origin=name,
                source=row.source or name,
                permission=row.permission or source.permission,
                row=row,
            )
        )
    return result


def _rows_of_table(source: Source, fleet: Fleet, files: dict[str, SourceFile], result: SourceFiles) -> dict[str, Row]:
    """Return the row of each file that the table names; rows without a file are set aside."""
    address, name = str(source.table), source_name(source)
    table_name = posixpath.basename(as_path(address))
    with _no_garbage_collection():
        table = read_source_table(table_name, read_table_file(address), fleet.spec.skills, fleet.renamed)
        rows, without = match_rows(table_name, table.rows, NameMatch(source.photos, address, files))
        result.remarks += [Remark(file, name, message) for file, message in table.remarks]
        result.rejections += [Rejection(table_name, name, Aside.MALFORMED_ROW, text) for _, text in table.malformed]
        unreadable = {rejection.file for rejection in result.rejections}
        for row, reason in without:
            if row.filename not in unreadable:
                message = f"line {row.line} of {table_name} names it, but {_WITHOUT[reason]}"
                result.rejections.append(Rejection(printable(row.filename), name, reason, message))
    return rows


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Let Python not look for reference cycles: among millions of rows, that takes long, and rows have none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _rows_of_folders(source: Source, names: Iterable[str]) -> dict[str, Row]:
    """Return a row per file in a sub-folder: the name of the top sub-folder is the label of the source's skill."""
    rows: dict[str, Row] = {}
    for name in names:
        folder, slash, _ = name.partition("/")
        if slash and not is_document(name):
            rows[name] = Row(line=0, filename=name, answers={str(source.skill): printable(folder)})
    return rows
