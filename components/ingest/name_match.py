"""Names that a table gives to photos, matched with the files of its source."""

import posixpath
import re
import unicodedata
from collections.abc import Iterable, Sequence

from coachworks.errors import DataError
from components.ingest.listing import printable
from components.ingest.places import as_path, in_bucket
from components.ingest.report import Aside
from components.ingest.source_table import Row, merge_rows

_SIMPLE = re.compile(r"[^/.\\][^/\\]*(?:/[^/.\\][^/\\]*)*")  # relative, and as `normpath` leaves it


class NameMatch:
    """Finds the files of one source by the names that a table gives them.

    Names are relative to the folder of photos, or else to the folder of the table, or they are whole paths or
    addresses. Backslashes stand for slashes, and the two ways in which Unicode writes an accented letter are the same
    name.
    """

    def __init__(self, photos: str, table: str, names: Iterable[str]) -> None:
        self._folder = posixpath.normpath(as_path(photos))
        self._inside = f"{self._folder.rstrip('/')}/"
        self._bases = tuple(dict.fromkeys((self._folder, posixpath.normpath(posixpath.dirname(as_path(table))))))
        self._names: dict[str, str] = {}
        for name in names:
            self._names.setdefault(name, name)
            if not name.isascii():
                for spelling in (printable(name), _composed(name)):
                    self._names.setdefault(spelling, name)

    def find(self, written: str) -> str | Aside:
        """Return the name of the file, or the reason why there is none: `Aside.OUTSIDE` or `Aside.MISSING`."""
        name = self._names.get(written)  # as nearly all are written, and tables may have millions of rows
        if name is not None:
            return name
        outside = True
        for spelling in (written, written.replace("\\", "/")) if "\\" in written else (written,):
            simple = _SIMPLE.fullmatch(spelling) is not None
            for base in self._bases:
                path = f"{base}/{spelling}" if simple else _joined(base, spelling)
                if not path.startswith(self._inside) and path != self._folder:
                    continue
                outside = False
                relative = path[len(self._folder) :].lstrip("/")
                name = self._names.get(relative)
                if name is None and not relative.isascii():
                    name = self._names.get(_composed(relative))
                if name is not None:
                    return name
        return Aside.OUTSIDE if outside else Aside.MISSING


def match_rows(
    table_name: str, rows: list[Row], match: NameMatch
) -> tuple[dict[str, Row], Sequence[tuple[Row, Aside]]]:
    """Match a table's rows with the files of its source.

    Args:
        table_name: Name of the table, for messages.
        rows: The rows; the list is emptied, since a table may have millions.
        match: The files.

    Returns:
        The row of each file that the table names, by the file's name; and the rows without a file, with the reason.

    Raises:
        DataError: two rows name one file and contradict each other.
    """
    matched: dict[str, Row] = {}
    without: list[tuple[Row, Aside]] = []
    rows.reverse()
    while rows:
        row = rows.pop()
        target = match.find(row.filename)
        if isinstance(target, Aside):
            without.append((row, target))
            continue
        known = matched.get(target)
        merged = row if known is None else merge_rows(known, row)
        if merged is None:
            raise DataError(
                f"table {table_name}: a file must be listed once, or with equal values; "
                f"got {printable(target)!r} (lines {known.line if known else row.line} and {row.line})"
            )
        matched[target] = merged
    return matched, without


def _joined(base: str, spelling: str) -> str:
    return posixpath.normpath(posixpath.join(base, as_path(spelling) if in_bucket(spelling) else spelling))


def _composed(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)
