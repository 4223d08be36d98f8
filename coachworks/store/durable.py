"""Flushing of files and folders to disk, so that a power cut leaves no empty or half a file under a published name.

A file is flushed before it gets its name, and the folder that holds the name afterwards: without the first, the name
may lead to an empty file; without the second, what was published may be gone although a later record names it.
"""

import errno
import os
from pathlib import Path

_UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}  # network file systems that cannot flush a folder


class Durable:
    """The folders of a store in which names have been added and not been flushed yet."""

    def __init__(self) -> None:
        self._pending: set[Path] = set()

    def make_folder(self, folder: Path) -> None:
        """Create a folder and those above it; they are flushed by the next `flush`."""
        above = folder
        while not above.exists():
            above = above.parent
            self._pending.add(above)
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, path: Path) -> None:
        """Note that the name of `path` is new, for the next `flush`."""
        self._pending.add(path.parent)

    def flush(self) -> None:
        """Flush all folders with new names."""
        while self._pending:
            try:
                folder = self._pending.pop()
            except KeyError:  # another thread has just taken the last one
                return
            flush(folder)

    def flush_tree(self, folder: Path) -> None:
        """Flush all files and folders in `folder`, then all folders with new names, which the tree may depend on."""
        for path, _, names in os.walk(folder):
            for name in names:
                flush(Path(path, name))
            flush(Path(path))
        self.flush()


def flush(path: Path) -> None:
    """Flush a file or folder to disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # a folder that was removed since
        return
    try:
        os.fsync(descriptor)
    except OSError as err:
        if err.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)
