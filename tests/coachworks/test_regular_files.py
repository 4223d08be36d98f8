"""Files that must be regular ones."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from coachworks import regular_files
from coachworks.regular_files import opened_path, read_regular


@pytest.fixture
def special(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        yield tmp_path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("fifo", "a FIFO"),
        ("socket", "a socket"),
        ("/dev/zero", "a device"),
        ("/dev/random", "a device"),
        ("/proc/self/mem", r"one of the kernel \(proc\)"),
        ("/proc/kmsg", r"one of the kernel \(proc\)"),
        ("/sys/kernel/notes", r"one of the kernel \(sysfs\)"),
        (".", "Is a directory"),
    ],
)
def test_what_is_no_regular_file_is_refused_at_once(name: str, reason: str, special: Path) -> None:
    if not Path(name).exists():
        pytest.skip(f"this machine has no {name}")
    begun = time.monotonic()
    with pytest.raises(OSError, match=reason):
        read_regular(name, 10)
    assert time.monotonic() - begun < 1


def test_a_fifo_that_takes_a_file_s_place_while_it_is_opened_is_refused(
    special: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (special / "file").write_bytes(b"x")
    before = (special / "file").stat()
    (special / "fifo").rename(special / "file")
    monkeypatch.setattr(Path, "stat", lambda _: before)
    with pytest.raises(OSError, match="a FIFO"):
        read_regular("file", 10)


def test_at_most_the_asked_bytes_are_read_also_of_a_file_that_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert read_regular(path, 2) == b"ab"
    assert read_regular(path, 10**15) == b"abc"  # takes memory for three bytes
    with regular_files.open_regular(path) as file:
        before = os.fstat(file.fileno())
        path.write_bytes(b"abcdef")
        monkeypatch.setattr(regular_files.os, "fstat", lambda _: before)
        assert regular_files.read_at_most(file, 5) == b"abcde"


def test_the_path_of_an_open_file_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("file")
    with regular_files.open_regular(tmp_path / "link") as file:
        assert opened_path(file, tmp_path / "link") == str(tmp_path / "file")
