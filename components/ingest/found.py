"""What a source holds: files that may be photos, wherever they lie, and the names they go by."""

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


class Found(Protocol):
    """A file of a source, in a folder or in a bucket; nothing of it is read until `read`."""

    @property
    def name(self) -> str:
        """Relative to the source, POSIX; of a folder, as the file system spells it (`os.fsdecode`)."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def place(self) -> str:
        """Where it lies: its path, perhaps through symbolic links, or its address `s3://bucket/key`."""

    @property
    def version(self) -> str:
        """Another text when the file has changed; tells nothing else."""

    def true_place(self) -> str:
        """Where it lies in truth: two files of one true place are one file."""

    def readable(self) -> bool:
        """Whether reading is worth a try, as far as that is known without doing so."""

    def read(self, most: int) -> bytes:
        """Its first bytes, at most `most` of them.

        Raises:
            OSError: this file cannot be read; others may.
        """


def printable(name: str) -> str:
    r"""`name` as text that can be written: bytes of a file name that are not UTF-8 become `\xNN`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_document(name: str) -> bool:
    """Whether a file is plainly no photo, such as a table, a licence or an archive."""
    path = PurePosixPath(name.lower())
    return path.suffix in _DOCUMENT_SUFFIXES or path.stem in _DOCUMENT_NAMES


def is_passed_over(part: str) -> bool:
    """Whether files and folders called `part` are none of the source's: hidden ones, and litter.

    >>> is_passed_over(".DS_Store"), is_passed_over("Thumbs.db"), is_passed_over("cat")
    (True, True, False)
    """
    return part.startswith(".") or part.lower() in _LITTER


def unreadable(name: str, source: str, err: OSError) -> Rejection:
    """The rejection of a file or folder that the system does not let us read."""
    return Rejection(printable(name), source, Aside.UNREADABLE, f"it cannot be read: {err.strerror or err}")
