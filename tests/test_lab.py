"""The cluster of the tests marked `cluster`: skipped where none is asked for, a failure where one does not start."""

from pathlib import Path

import pytest

from lab import running_lab


def write_script(path: Path, *lines: str) -> None:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]), "utf-8")
    path.chmod(0o755)


def test_a_cluster_that_does_not_start_is_a_failure_that_quotes_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_script(tmp_path / "up", "echo 'lab: run as root' >&2", "exit 3")
    write_script(tmp_path / "down")
    monkeypatch.setenv("COACHWORKS_LAB", str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match="up ended with exit status 3; its last lines:\nlab: run as root"):
        running_lab().__enter__()


def test_without_a_cluster_to_start_its_tests_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COACHWORKS_LAB", raising=False)
    with pytest.raises(pytest.skip.Exception, match="COACHWORKS_LAB is not set"):
        running_lab().__enter__()
