"""Errors of places that cannot be written to, in a sentence with a way out: full, over a quota, read-only, not allowed.

Libraries report a full disk in many ways: as an OSError, as an error of their own, or in the text of a message.
"""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coachworks.errors import CoachworksError

_KEPT = "then run again: what is finished is kept"
_FULL = f"Free some space there, or name another place (`spec.store`, COACHWORKS_CACHE, TMPDIR), {_KEPT}"
_WAYS_OUT = {
    errno.ENOSPC: ("no space is left on its file system", _FULL),
    errno.EDQUOT: ("the quota of its owner is used up", _FULL),
    errno.EFBIG: (
        "a file may not become so large there",
        f"Raise the limit (`ulimit -f`), or name another place (`spec.store`, COACHWORKS_CACHE, TMPDIR), {_KEPT}",
    ),
    errno.EROFS: (
        "its file system is read-only",
        f"Mount it writable, or name another place (`spec.store`, COACHWORKS_CACHE, TMPDIR), {_KEPT}",
    ),
    errno.ENOENT: (
        "there is no folder for temporary files that can be written to",
        f"Set TMPDIR to one that can, {_KEPT}",
    ),
    errno.EACCES: (
        "this user has no permission to write there",
        f"Let `ls -ld` show whose it is; change that, or name another place (`spec.store`, COACHWORKS_CACHE), {_KEPT}",
    ),
}
_FOR_SURE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}  # the other numbers may come from reading
_SIGNS = {
    errno.ENOSPC: r"No space left on device|database or disk is full|\bos error 28\b",
    errno.EDQUOT: r"Disk quota exceeded|\bos error 122\b",
    errno.EFBIG: r"\[Errno 27\]|\bos error 27\b",
    errno.ENOENT: r"No usable temporary directory found",
    errno.EROFS: r"Read-only file system|attempt to write a readonly database|\bos error 30\b",
}


class StorageError(CoachworksError):
    """A place cannot be written to."""


def storage_failure(err: BaseException, place: Path | str | None = None) -> StorageError | None:
    """Return the error for a failure to write; None for other failures.

    Args:
        err: Any error. Its causes are looked at, too; of an error that coachworks has translated, the causes' numbers
            alone, because a text may speak of a server's disk.
        place: Where was written, if the error itself does not name it.
    """
    cause: BaseException | None = err
    with_text = not isinstance(err, CoachworksError)
    for _ in range(20):
        if cause is None:
            return None
        if isinstance(cause, StorageError):
            return cause
        number = _number_of(cause, with_text=with_text)
        if number is not None:
            return _sentence(number, _place_of(cause) or (str(place) if place else None))
        cause = cause.__cause__ or cause.__context__
    return None


@contextmanager
def writing_to(place: Path | str) -> Iterator[None]:
    """Translate failures to write to a place within the context; other errors pass.

    Raises:
        StorageError: it is full, over a quota, read-only, or the user may not write there.
    """
    try:
        yield
    except OSError as err:
        failure = storage_failure(err, place)
        if failure is None and err.errno in {errno.EACCES, errno.EPERM}:
            failure = _sentence(errno.EACCES, _place_of(err) or str(place))
        if failure is None:
            raise
        raise failure from err


def _number_of(err: BaseException, *, with_text: bool) -> int | None:
    """Return the error number of a failure to write; a missing permission may be one to read, and is left out."""
    if isinstance(err, OSError) and err.errno in _FOR_SURE:
        return err.errno
    if not with_text:
        return None
    text = str(err)[-20_000:]
    return next((number for number, sign in _SIGNS.items() if re.search(sign, text)), None)


def _place_of(err: BaseException) -> str | None:
    name = getattr(err, "filename2", None) or getattr(err, "filename", None)
    return os.fsdecode(name) if isinstance(name, (str, bytes)) else None


def _sentence(number: int, place: str | None) -> StorageError:
    reason, way_out = _WAYS_OUT[number]
    where = f"{place!r} cannot be written" if place else "a file cannot be written"
    return StorageError(f"{where}: {reason}{_free_at(place) if number == errno.ENOSPC else ''}. {way_out}.")


def _free_at(place: str | None) -> str:
    if place is None:
        return ""
    for folder in (Path(place), *Path(place).absolute().parents):
        try:
            usage = shutil.disk_usage(folder)
        except OSError:
            continue
        return f" ({usage.free / 1e6:.0f} MB of {usage.total / 1e6:.0f} MB are free)"
    return ""
