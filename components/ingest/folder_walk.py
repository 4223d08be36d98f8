"""Files of a source in a folder, in a fixed order."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coachworks.errors import InvalidConfigError, NotFoundError
from components.ingest.listing import SourceFile, is_skipped, printable, unreadable
from components.ingest.report import Aside, Rejection


@dataclass(frozen=True)
class FolderFile:
    """A file in a source's folder; see `SourceFile`.

    Attributes:
        path: Its path, perhaps through symbolic links.
        name: Relative to the source's folder.
        size: Size in bytes.
        mtime_ns: Time of its last change, nanoseconds since the epoch.
    """

    path: Path
    name: str
    size: int
    mtime_ns: int

    @property
    def place(self) -> str:
        """Path of the file."""
        return str(self.path)

    @property
    def version(self) -> str:
        """Time of its last change, as text."""
        return str(self.mtime_ns)

    def true_place(self) -> str:
        """Return its path with symbolic links resolved."""
        return os.path.realpath(self.path)

    def readable(self) -> bool:
        """Return whether its permissions allow reading."""
        return os.access(self.path, os.R_OK)

    def read(self, most: int) -> bytes:
        """Return its first bytes, at most `most` of them."""
        with self.path.open("rb") as file:
            return file.read(most)


def walk_folder(photos: str, source: str, *, leave_out: Path | None = None) -> Iterator[SourceFile | Rejection]:
    """Yield the files under the folder `photos`, sorted by name within each folder; hidden files are skipped.

    Symbolic links are followed, each real folder once, so that a loop ends.

    Args:
        photos: The source's folder.
        source: The source's name, for rejections.
        leave_out: A folder to leave out: the store, which may lie among the photos.

    Raises:
        NotFoundError: the folder does not exist.
        InvalidConfigError: it is not a folder.
    """
    folder = Path(photos)
    if not folder.exists():
        raise NotFoundError(f"photos {photos!r} does not exist. Correct `photos` of this source.")
    if not folder.is_dir():
        raise InvalidConfigError(f"photos must be a folder; got {photos!r}, a file")
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
        if is_skipped(name):
            continue
        path, relative = inside / name, prefix + name
        try:
            status = path.stat()
        except OSError as err:
            yield unreadable(relative, source, err)
            continue
        if stat.S_ISREG(status.st_mode):
            yield FolderFile(path=path, name=relative, size=status.st_size, mtime_ns=status.st_mtime_ns)
        elif not stat.S_ISDIR(status.st_mode):
            yield Rejection(printable(relative), source, Aside.UNREADABLE, "it is no regular file")
        elif _identity(status) not in entered:
            entered.add(_identity(status))
            open_folders.append(_listing(path, f"{relative}/", source))


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _listing(folder: Path, prefix: str, source: str) -> tuple[Path, str, Iterator[str], list[Rejection]]:
    """Return a folder, the prefix of its names, the names, and its rejection if it cannot be read."""
    try:
        return folder, prefix, iter(sorted(os.listdir(folder))), []  # noqa: PTH208 — names only, no paths
    except OSError as err:
        return folder, prefix, iter(()), [unreadable(prefix or ".", source, err)]
