"""What lies in a source's folder: the files that may be photos, in a fixed order."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from components.ingest.report import Aside, Rejection

_LITTER = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "icon\r"}
_DOCUMENT_SUFFIXES = {
    *(".csv", ".tsv", ".parquet", ".feather", ".json", ".jsonl", ".ndjson", ".xml", ".yaml", ".yml", ".toml", ".ini"),
    *(".txt", ".md", ".rst", ".log", ".html", ".htm", ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".ods", ".odt"),
    *(".py", ".ipynb", ".sh", ".sha256", ".md5", ".bib", ".zip", ".gz", ".tar", ".tgz", ".7z", ".rar"),
}
_DOCUMENT_NAMES = {"license", "licence", "readme", "copying", "notice", "authors", "changelog", "makefile", "contents"}


@dataclass(frozen=True)
class Found:
    """A file in a source's folder.

    Attributes:
        path: Where it lies; perhaps through symbolic links.
        name: Relative to the source's folder, POSIX, as the file system spells it (`os.fsdecode`).
        size: Bytes.
        mtime_ns: When it was last changed, nanoseconds since the epoch: tells a changed file, nothing else.
    """

    path: Path
    name: str
    size: int
    mtime_ns: int


def printable(name: str) -> str:
    r"""`name` as text that can be written: bytes of a file name that are not UTF-8 become `\xNN`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_document(name: str) -> bool:
    """Whether a file is plainly no photo, such as a table, a licence or an archive."""
    path = PurePosixPath(name.lower())
    return path.suffix in _DOCUMENT_SUFFIXES or path.stem in _DOCUMENT_NAMES


def walk(folder: Path, source: str, *, leave_out: Path | None = None) -> Iterator[Found | Rejection]:
    """The files under `folder`, sorted by name within each folder; hidden files and litter are passed over.

    Symbolic links are followed, each real folder once, so that a loop ends.

    Args:
        folder: The source's folder; it must exist.
        source: The source's name, for rejections.
        leave_out: A folder not to enter: the store, which may lie among the photos.
    """
    entered = {_identity(path.stat()) for path in (folder, leave_out) if path is not None and path.is_dir()}
    open_folders = [_listing(folder, "", source)]  # a stack, not recursion: folders may be nested deeper than Python
    while open_folders:
        inside, prefix, names, rejections = open_folders[-1]
        yield from rejections
        rejections.clear()
        name = next(names, None)
        if name is None:
            open_folders.pop()
            continue
        if name.startswith(".") or name.lower() in _LITTER:
            continue
        path, relative = inside / name, prefix + name
        try:
            status = path.stat()
        except OSError as err:
            yield unreadable(relative, source, err)
            continue
        if stat.S_ISREG(status.st_mode):
            yield Found(path=path, name=relative, size=status.st_size, mtime_ns=status.st_mtime_ns)
        elif not stat.S_ISDIR(status.st_mode):
            yield Rejection(printable(relative), source, Aside.UNREADABLE, "it is no regular file")
        elif _identity(status) not in entered:
            entered.add(_identity(status))
            open_folders.append(_listing(path, f"{relative}/", source))


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _listing(folder: Path, prefix: str, source: str) -> tuple[Path, str, Iterator[str], list[Rejection]]:
    """A folder, the prefix of the names in it, the names, and the rejection of the folder if it cannot be read."""
    try:
        return folder, prefix, iter(sorted(os.listdir(folder))), []  # noqa: PTH208 — names only, no paths
    except OSError as err:
        return folder, prefix, iter(()), [unreadable(prefix or ".", source, err)]


def unreadable(name: str, source: str, err: OSError) -> Rejection:
    """The rejection of a file or folder that the system does not let us read."""
    return Rejection(printable(name), source, Aside.UNREADABLE, f"it cannot be read: {err.strerror or err}")
