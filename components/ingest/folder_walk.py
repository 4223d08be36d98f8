"""Files of a source in a folder, in a fixed order."""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from coachworks.errors import InvalidConfigError, NotFoundError
from coachworks.regular_files import is_inside, kernel_file_system, open_regular, opened_path, read_at_most
from components.ingest.listing import SourceFile, is_skipped, printable, unreadable
from components.ingest.report import Aside, Rejection

_LINK_OUT = "it is a link out of the folder of photos, to {}; `followLinks: true` at the source follows it"


@dataclass(frozen=True)
class FolderFile:
    """A file in a source's folder; see `SourceFile`.

    Attributes:
        path: Its path, perhaps through symbolic links.
        name: Relative to the source's folder.
        size: Size in bytes.
        mtime_ns: Time of its last change, nanoseconds since the epoch.
        within: Folder that the file must be in when it is read, without symbolic links; None: anywhere.
    """

    path: Path
    name: str
    size: int
    mtime_ns: int
    within: str | None = field(default=None, repr=False, compare=False)

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
        with open_regular(self.path) as file:
            # It, or a folder above it, may have been replaced by a link since it was listed.
            if self.within is not None and not is_inside(opened_path(file, self.path), self.within):
                raise OSError(errno.EINVAL, "it was replaced by a link out of the folder of photos")
            return read_at_most(file, most)


def walk_folder(
    photos: str, source: str, *, leave_out: Path | None = None, follow_links: bool = False
) -> Iterator[SourceFile | Rejection]:
    """Yield the files under the folder `photos`, sorted by name within each folder; hidden files are skipped.

    Symbolic links to files inside of the folder are followed; of those to folders, see `is_entered`. Each real folder
    is entered once, so that a loop ends.

    Args:
        photos: The source's folder.
        source: The source's name, for rejections.
        leave_out: A folder to leave out: the store, which may lie among the photos.
        follow_links: Whether to follow links that lead out of the folder; otherwise they are set aside.

    Raises:
        NotFoundError: the folder does not exist.
        InvalidConfigError: it is not a folder, or one of the kernel's.
    """
    folder = Path(photos)
    if not folder.exists():
        raise NotFoundError(f"photos {photos!r} does not exist. Correct `photos` of this source.")
    if not folder.is_dir():
        raise InvalidConfigError(f"photos must be a folder; got {photos!r}, a file")
    if (system := kernel_file_system(folder.stat())) is not None:
        raise InvalidConfigError(
            f"photos must be a folder on a disk; got {photos!r}, one of the kernel ({system}). "
            "Correct `photos` of this source."
        )
    real = os.path.realpath(folder)
    within = None if follow_links else real
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
            is_link = path.is_symlink()
            status = path.stat()
        except OSError as err:
            yield unreadable(relative, source, err)
            continue
        if is_link and within is not None and not is_inside(target := os.path.realpath(path), within):
            yield Rejection(printable(relative), source, Aside.OUTSIDE, _LINK_OUT.format(printable(target)))
        elif stat.S_ISREG(status.st_mode):
            yield FolderFile(path, relative, status.st_size, status.st_mtime_ns, within)
        elif not stat.S_ISDIR(status.st_mode):
            yield Rejection(printable(relative), source, Aside.UNREADABLE, "it is no regular file")
        elif (system := kernel_file_system(status)) is not None:
            message = f"it is a folder of the kernel ({system}), which holds no photos"
            yield Rejection(printable(relative), source, Aside.UNREADABLE, message)
        elif is_link and not is_entered(path, real, follow_links=follow_links):
            continue
        elif _identity(status) not in entered:
            entered.add(_identity(status))
            open_folders.append(_listing(path, f"{relative}/", source))


def is_entered(link: Path, folder: str, *, follow_links: bool) -> bool:
    """Return whether a symbolic link to a folder is followed, rather than passed over or set aside.

    The photos of a folder that is visited anyway have their names from there. Hidden folders are not, as those in which
    Kubernetes keeps the files of a mounted ConfigMap.

    Args:
        link: The link.
        folder: The source's folder, without symbolic links.
        follow_links: Whether to follow links that lead out of the folder.
    """
    target = os.path.realpath(link)
    if not is_inside(target, folder):
        return follow_links
    return any(is_skipped(part) for part in Path(target).relative_to(folder).parts)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _listing(folder: Path, prefix: str, source: str) -> tuple[Path, str, Iterator[str], list[Rejection]]:
    """Return a folder, the prefix of its names, the names, and its rejection if it cannot be read."""
    try:
        return folder, prefix, iter(sorted(os.listdir(folder))), []  # noqa: PTH208 — names only, no paths
    except OSError as err:
        return folder, prefix, iter(()), [unreadable(prefix or ".", source, err)]
