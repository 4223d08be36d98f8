"""Temporary files and folders, named after their process so that those of killed processes can be deleted.

Machines and containers may share the folder. Each deletes what its own dead processes have left; what belongs to
others, whose processes it cannot see, only after a week without a change.
"""

import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from coachworks.storage_failures import storage_failure, writing_to
from coachworks.store.processes import Process, this_process

_NAME = re.compile(r"(?P<machine>[0-9a-f]{12})\.(?P<pid>\d+)\.(?P<started>\d+)-[0-9a-f]{32}")
_EARLIER_NAME = re.compile(r"\d+-[0-9a-f]{32}")  # by versions that recorded the PID alone
_ABANDONED_S = 7 * 86400.0


def temporary_path(tmp: Path) -> Path:
    """Return a new, unique path under `tmp` whose name identifies this process."""
    with writing_to(tmp):
        tmp.mkdir(parents=True, exist_ok=True)
    own = this_process()
    return tmp / f"{own.machine}.{own.pid}.{own.started}-{uuid.uuid4().hex}"


@contextmanager
def scratch_folder(tmp: Path) -> Iterator[Path]:
    """Create a folder under `tmp` and delete it on exit."""
    folder = temporary_path(tmp)
    with writing_to(folder):
        folder.mkdir()
    try:
        yield folder
    except OSError as err:  # a failed write, unlike a failed opening, does not name its file
        failure = storage_failure(err, tmp)
        if failure is None:
            raise
        raise failure from err
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(tmp: Path) -> None:
    """Delete what `left_over` yields."""
    for path in left_over(tmp):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def left_over(tmp: Path) -> Iterator[Path]:
    """Yield files and folders under `tmp` whose process no longer runs, and those that were left a week ago."""
    yield from (path for path in tmp.glob("*-*") if _is_left(path))


def _is_left(path: Path) -> bool:
    name = _NAME.fullmatch(path.name)
    if name is not None:
        owner = Process(name["machine"], int(name["pid"]), name["started"])
        if owner.is_here:
            return not owner.runs
    elif _EARLIER_NAME.fullmatch(path.name) is None:
        return False
    return time.time() - _changed_at(path) > _ABANDONED_S


def _changed_at(path: Path) -> float:
    """Return the time of the last change of a file, or of anything in a folder."""
    latest = 0.0
    for each in (path, *(path.rglob("*") if path.is_dir() and not path.is_symlink() else ())):
        with suppress(FileNotFoundError):
            latest = max(latest, each.lstat().st_mtime)
    return latest or time.time()
