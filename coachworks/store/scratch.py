"""Scratch folders of processes, and what becomes of them when a process is killed."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def aside(tmp: Path) -> Path:
    """A path under `tmp` that nobody else uses; its name says which process does."""
    tmp.mkdir(parents=True, exist_ok=True)
    return tmp / f"{os.getpid()}-{uuid.uuid4().hex}"


@contextmanager
def scratch_folder(tmp: Path) -> Iterator[Path]:
    """A new folder under `tmp`, gone afterwards."""
    folder = aside(tmp)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(tmp: Path) -> None:
    """Remove what processes that are gone left under `tmp`."""
    for left in tmp.glob("*-*"):
        pid = left.name.split("-")[0]
        if pid.isdigit() and not process_alive(int(pid)):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def process_alive(pid: int) -> bool:
    """Whether a process of this machine still works; one that has ended and waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0]
    except OSError:  # no /proc here, or gone in between
        return not Path("/proc/self").exists()
    return state != "Z"
