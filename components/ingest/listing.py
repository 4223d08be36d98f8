"""Files of a source that may be photos, in a folder or in a bucket, and the names that are skipped."""

from pathlib import PurePosixPath
from typing import Protocol

from components.ingest.report import Aside, Rejection

_LITTER = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "icon\r"}
_DOCUMENT_SUFFIXES = {
    *(".csv", ".tsv", ".parquet", ".feather", ".json", ".jsonl", ".ndjson", ".xml", ".yaml", ".yml", ".toml", ".ini"),
    *(".txt", ".md", ".rst", ".log", ".html", ".htm", ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".ods", ".odt"),
    *(".py", ".ipynb", ".sh", ".sha256", ".md5", ".bib", ".zip", ".gz", ".tar", ".tgz", ".7z", ".rar"),
}
_DOCUMENT_NAMES = {"license", "licence", "readme", "copying", "notice", "authors", "changelog", "makefile", "contents"}


class SourceFile(Protocol):
    """A file of a source, in a folder or in a bucket; its content is read by `read` only."""

    @property
    def name(self) -> str:
        """Name relative to the source, POSIX; in a folder, as the file system spells it (`os.fsdecode`)."""

    @property
    def size(self) -> int:
        """Size in bytes."""

    @property
    def place(self) -> str:
        """Path, perhaps through symbolic links, or address `s3://bucket/key`."""

    @property
    def version(self) -> str:
        """Text that differs once the file has changed; otherwise opaque."""

    def true_place(self) -> str:
        """Return the path without symbolic links, or the address: two files of one true place are one file."""

    def readable(self) -> bool:
        """Return whether its permissions allow reading, as far as that is known without an attempt."""

    def read(self, most: int) -> bytes:
        """Return its first bytes, at most `most` of them.

        Raises:
            OSError: this file cannot be read; others may.
        """


def printable(name: str) -> str:
    r"""Return `name` as valid Unicode: bytes of a file name that are not UTF-8 become `\xNN`."""
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_document(name: str) -> bool:
    """Return whether a name is that of a document rather than a photo: a table, a licence, an archive."""
    path = PurePosixPath(name.lower())
    return path.suffix in _DOCUMENT_SUFFIXES or path.stem in _DOCUMENT_NAMES


def is_skipped(part: str) -> bool:
    """Return whether files and folders called `part` are skipped: hidden ones, and files of operating systems.

    >>> is_skipped(".DS_Store"), is_skipped("Thumbs.db"), is_skipped("cat")
    (True, True, False)
    """
    return part.startswith(".") or part.lower() in _LITTER


def unreadable(name: str, source: str, err: OSError) -> Rejection:
    """Return the rejection of a file or folder that the system does not let us read."""
    return Rejection(printable(name), source, Aside.UNREADABLE, f"it cannot be read: {err.strerror or err}")
