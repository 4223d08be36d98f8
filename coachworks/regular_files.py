"""Regular files, opened without waiting for anybody: FIFOs, devices and files of the kernel are refused."""

import errno
import os
import stat
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

# Files there are made up while they are read: some never end, some wait for an event, and their size says 0.
_OF_THE_KERNEL = {
    *("proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "configfs"),
    *("pstore", "bpf", "mqueue", "efivarfs", "fusectl", "binfmt_misc", "hugetlbfs", "selinuxfs", "rpc_pipefs", "nsfs"),
}
_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: Path | str) -> BinaryIO:
    """Open a regular file for reading, through symbolic links.

    Raises:
        IsADirectoryError: it is a folder.
        OSError: it cannot be opened, or is no regular file; `strerror` says which.
    """
    _must_be_regular(Path(path).stat())  # before it is opened: opening a device may set it in motion
    # A FIFO that has taken the file's place since must not make us wait for someone who writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _must_be_regular(os.fstat(descriptor))
        return open(descriptor, "rb")  # noqa: PTH123 — the caller closes it
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path | str, most: int) -> bytes:
    """Return the first bytes of a regular file, at most `most` of them, also of one that grows meanwhile.

    Raises:
        OSError: as `open_regular`.
    """
    with open_regular(path) as file:
        return read_at_most(file, most)


def read_at_most(file: BinaryIO, most: int) -> bytes:
    """Return the bytes of an open file, at most `most` of them; takes memory for its size, not for `most`."""
    size = os.fstat(file.fileno()).st_size
    data = file.read(min(most, size + 1)) or b""
    return data + (file.read(most - len(data)) or b"") if size < len(data) < most else data


def opened_path(file: BinaryIO, path: Path | str) -> str:
    """Return the path, without symbolic links, of the file that is open, not of what has taken its place since."""
    try:
        return os.readlink(f"/proc/self/fd/{file.fileno()}")  # noqa: PTH115
    except OSError:  # not on Linux
        return os.path.realpath(path)


def is_inside(path: str, folder: str) -> bool:
    """Return whether `path` is `folder` or below it; both without symbolic links.

    >>> is_inside("/photos/cat/a.jpg", "/photos"), is_inside("/photos-2/a.jpg", "/photos")
    (True, False)
    """
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def kernel_file_system(status: os.stat_result) -> str | None:
    """Return the type of the file system of a file or folder if the kernel makes it up, such as `proc`; else None."""
    return _kernel_file_systems().get(status.st_dev)


def _must_be_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise OSError(errno.EINVAL, f"it must be a regular file; it is {kind}")
    if (system := kernel_file_system(status)) is not None:
        raise OSError(errno.EINVAL, f"it must be a file on a disk; it is one of the kernel ({system})")


@lru_cache(maxsize=1)
def _kernel_file_systems() -> Mapping[int, str]:
    """Return the types of the kernel's mounted file systems by device; none where the system does not tell."""
    systems = {}
    try:
        mounts = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return {}
    for mount in mounts:
        fields = mount.split()
        kind = fields[fields.index("-") + 1]
        if kind in _OF_THE_KERNEL:
            major, minor = fields[2].split(":")
            systems[os.makedev(int(major), int(minor))] = kind
    return systems
