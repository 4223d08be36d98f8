"""Comparison of content with its digest, and a memory of the files that this process has compared."""

import errno
import re
from pathlib import Path

from coachworks.digests import digest_bytes, digest_file

# Keys whose last part begins with the digest of the content, or with half of it.
_NAMED = re.compile(
    r"(?:photos/[0-9a-f]{2}/([0-9a-f]{64})\.[a-z0-9]+|heads/([0-9a-f]{64})\.safetensors"
    r"|checkpoints/[0-9a-f]{64}/([0-9a-f]{64})\.safetensors"
    r"|features/[^/]+/[^/]+/([0-9a-f]{32})\.safetensors|index/(?:[^/]+/)+([0-9a-f]{64})\.json)"
)
UNREADABLE = {errno.EIO, errno.EBADMSG, errno.EUCLEAN}  # of a disk or file system that fails
Stamp = tuple[int, int, int, int, int]
_compared: dict[tuple[str, str], Stamp] = {}


def named_digest(key: str) -> str | None:
    """Return the beginning of the SHA-256 that the content of `key` must have, if the key names it.

    >>> named_digest("features/3f2a/clean/" + 32 * "0" + ".safetensors") == 32 * "0"
    True
    >>> named_digest("runs/20260102/run.json")
    """
    match = _NAMED.fullmatch(key)
    return next(group for group in match.groups() if group) if match else None


def difference(data: bytes, digest: str) -> str | None:
    """Return in words how `data` differs from what has the SHA-256 `digest`, or None; half a digest suffices."""
    actual = digest_bytes(data)
    return None if actual.startswith(digest) else other_digest(actual, digest)


def file_difference(path: Path, digest: str, size: int | None = None) -> str | None:
    """Return in words how a file differs from what has the SHA-256 `digest`, or None; half a digest suffices.

    A file is read once per process, and again when its inode, size or times have changed.

    Args:
        path: The file.
        digest: The digest, or its beginning.
        size: Size that the file must have, in bytes, where it is known.
    """
    try:
        before = stamp(path)
        if _compared.get((str(path), digest)) == before:
            return None
        if size is not None and before[2] != size:
            return f"it must have {size} bytes, and has {before[2]}"
        actual = digest_file(path)
        after = stamp(path)
    except FileNotFoundError:
        return "it is missing"
    except OSError as err:
        if err.errno not in UNREADABLE:
            raise
        return f"it cannot be read: {err.strerror or err}"
    if not actual.startswith(digest):
        return other_digest(actual, digest)
    if before == after:
        _compared[str(path), digest] = after
    return None


def other_digest(actual: str, digest: str) -> str:
    """Return in words that a digest is another than it must be."""
    return f"its SHA-256 must begin with {digest[:16]}, and begins with {actual[:16]}"


def stamp(path: Path) -> Stamp:
    """Return what changes when a file is written or replaced: device, inode, size and times."""
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
