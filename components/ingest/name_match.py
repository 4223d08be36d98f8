"""Which file a table's row speaks of, however the name is spelt."""

import os
import posixpath
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from components.ingest.folder_walk import printable
from components.ingest.report import Aside


class NameMatch:
    """Finds the files of one source by the names that a table gives them.

    Names are relative to the folder of photos, or else to the folder of the table. Backslashes stand for slashes, and
    the two ways in which Unicode writes an accented letter are the same name.
    """

    def __init__(self, folder: Path, table: Path, names: Iterable[str]) -> None:
        self._folder, self._table_folder = folder, table.parent
        self._names: dict[str, str] = {}
        for name in names:
            for spelling in (name, printable(name), _composed(name)):
                self._names.setdefault(spelling, name)

    def find(self, written: str) -> str | Aside:
        """The name of the file, or why there is none: `Aside.OUTSIDE` or `Aside.MISSING`."""
        outside = True
        for spelling in dict.fromkeys((written, written.replace("\\", "/"))):
            for base in (self._folder, self._table_folder):
                path = posixpath.normpath(posixpath.join(base.as_posix(), spelling))
                relative = os.path.relpath(path, self._folder)
                if relative == ".." or relative.startswith("../"):
                    continue
                outside = False
                name = self._names.get(relative) or self._names.get(_composed(relative))
                if name is not None:
                    return name
        return Aside.OUTSIDE if outside else Aside.MISSING


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
