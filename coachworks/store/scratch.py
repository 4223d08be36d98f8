"""Temporary files and folders, named after their process so that those of killed processes can be deleted."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def temporary_path(tmp: Path) -> Path:
    """Return a new, unique path under `tmp` that begins with the process ID."""
    tmp.mkdir(parents=True, exist_ok=True)
    return tmp / f"{os.getpid()}-{uuid.uuid4().hex}"


@contextmanager
def scratch_folder(tmp: Path) -> Iterator[Path]:
    """Create a folder under `tmp` and delete it on exit."""
    folder = temporary_path(tmp)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(tmp: Path) -> None:
    """Delete files and folders under `tmp` whose process no longer runs."""
    for path in tmp.glob("*-*"):
        pid = path.name.split("-")[0]
        if pid.isdigit() and not process_alive(int(pid)):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def process_alive(pid: int) -> bool:
    """Return whether a process of this machine runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0]
    except OSError:  # no /proc on this system, or the process ended meanwhile
        return not Path("/proc/self").exists()
    return state != "Z"
