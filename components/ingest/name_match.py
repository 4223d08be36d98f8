"""Which file a table's row speaks of, however the name is spelt."""

import posixpath
import unicodedata
from collections.abc import Iterable

from components.ingest.found import printable
from components.ingest.places import as_path, in_bucket
from components.ingest.report import Aside


class NameMatch:
    """Finds the files of one source by the names that a table gives them.

    Names are relative to the folder of photos, or else to the folder of the table, or they are whole paths or
    addresses. Backslashes stand for slashes, and the two ways in which Unicode writes an accented letter are the same
    name.
    """

    def __init__(self, photos: str, table: str, names: Iterable[str]) -> None:
        self._folder, self._table_folder = as_path(photos), posixpath.dirname(as_path(table))
        self._names: dict[str, str] = {}
        for name in names:
            for spelling in (name, printable(name), _composed(name)):
                self._names.setdefault(spelling, name)

    def find(self, written: str) -> str | Aside:
        """The name of the file, or why there is none: `Aside.OUTSIDE` or `Aside.MISSING`."""
        outside = True
        for spelling in dict.fromkeys((written, written.replace("\\", "/"))):
            for base in (self._folder, self._table_folder):
                path = posixpath.normpath(posixpath.join(base, as_path(spelling) if in_bucket(spelling) else spelling))
                relative = posixpath.relpath(path, self._folder)
                if relative == ".." or relative.startswith("../"):
                    continue
                outside = False
                name = self._names.get(relative) or self._names.get(_composed(relative))
                if name is not None:
                    return name
        return Aside.OUTSIDE if outside else Aside.MISSING


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
