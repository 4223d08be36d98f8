"""File systems of a few megabytes, full or read-only, where this machine may mount them."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """A file system in memory.

    Attributes:
        path: Its folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self) -> None:
        """Leave no space."""
        with (self.path / "filler").open("ab", buffering=0) as file:
            for block in (1 << 16, 1 << 12):
                try:
                    while file.write(bytes(block)):
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        """Free what `fill` took."""
        (self.path / "filler").unlink()

    def remount(self, options: str) -> None:
        """Change its options, such as `ro`, `rw` or `size=20m`."""
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.path)], check=True)


@contextmanager
def small_disk(path: Path, size: str = "1m") -> Iterator[SmallDisk]:
    """Mount a file system of a size; the test is skipped where that is not permitted."""
    path.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "coachworks-test", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        done = False
    if not done:
        pytest.skip("this user may not mount a file system")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)
