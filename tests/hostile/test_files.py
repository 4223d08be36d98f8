"""Tables without end, mutated tables, special files and millions of rows, each in a process with 2 GiB of memory."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from crafted_tables import bombs, mutated

from coachworks.errors import DataError
from components.ingest import parquet_decoder
from components.ingest.source_table import read_source_table

pytestmark = pytest.mark.hostile

Measured = Callable[[str, str, str], None]
GIB = 1024**3
ROOT = Path(__file__).parent.parent.parent
FLEET = """apiVersion: coachworks.dev/v1
kind: Fleet
metadata: {name: files}
spec:
  sources: [{photos: photos, table: TABLE}]
  skills: {animal: {labels: [cat, dog]}}
"""


def limited(command: list[str], folder: Path) -> tuple[subprocess.CompletedProcess[str], float]:
    """Run a command with 2 GiB of address space beyond what its libraries reserve; return it and its seconds."""
    limit = 3 * GIB
    begun = time.monotonic()
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    return done, time.monotonic() - begun


@pytest.mark.parametrize("name", sorted(bombs(0.0001)))
def test_tables_without_end_are_refused_within_seconds_and_two_gib(
    name: str, tmp_path: Path, measured: Measured
) -> None:
    file, data = bombs()[name]
    (tmp_path / "photos").mkdir()
    (tmp_path / file).write_bytes(data)
    (tmp_path / "fleet.yaml").write_text(FLEET.replace("TABLE", file))
    done, seconds = limited([sys.executable, "-m", "coachworks.cli.main", "ingest"], tmp_path)
    assert done.returncode in {1, 2}, done.stderr
    assert "Traceback" not in done.stderr
    refused = f"table {file}" in done.stderr
    assert refused or "at least one usable photo" in done.stderr, done.stderr
    assert seconds < 60, f"{seconds:.0f} s"
    result = "refused" if refused else "read"
    measured(
        f"table: {name}, {len(data) / 1e6:.1f} MB",
        "refused or read within seconds, 2 GiB",
        f"{result}, {seconds:.0f} s",
    )


def test_no_mutated_table_gives_a_traceback_or_ends_a_process(measured: Measured) -> None:
    outcomes = {"read": 0, "refused": 0}
    for name, data in mutated(2000, seed=1):
        if name == "t.parquet":
            outcomes[_decode_aside(data)] += 1
            continue
        try:
            read_source_table(name, data, ["animal"])
        except DataError:
            outcomes["refused"] += 1
        else:
            outcomes["read"] += 1
    for name, data in mutated(60, seed=2):  # through the process of its own, as ingest reads them
        try:
            read_source_table(name, data, ["animal"])
        except DataError as err:
            assert name in str(err)  # noqa: PT017
    measured("2,000 mutated CSV and Parquet tables", "read or refused in a sentence", f"{outcomes}".strip("{}"))


def _decode_aside(data: bytes) -> str:
    """Decode in a forked process; return the outcome. A signal ends the decoder, and the reader says so."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with Path(os.devnull).open("wb") as nowhere:
            bounds = {"first_cells": 10**6, "rows": 10**6, "columns": 100, "cells": 10**7, "size": 10**8}
            reason = parquet_decoder.decode(data, nowhere, **bounds)
        os._exit(0 if reason is None else parquet_decoder.REFUSED)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) in {0, parquet_decoder.REFUSED}
    return "read" if status == 0 else "refused"


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/random", "/proc/self/mem", "fifo", "sparse"])
def test_every_argument_that_names_a_file_is_refused_within_seconds(
    target: str, tmp_path: Path, measured: Measured
) -> None:
    os.mkfifo(tmp_path / "fifo")
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.truncate(10**12)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.jpg").write_bytes(b"\xff\xd8\xff" + bytes(100))
    (tmp_path / "fleet.yaml").write_text(FLEET.replace("TABLE", target))
    slowest = 0.0
    for arguments in (
        ["check", "-f", target],
        ["run", "-f", target],
        ["ingest"],
        ["check"],
        ["init", "photos", "--table", target, "-f", "new.yaml"],
        ["init", target, "-f", "new.yaml"],
        ["predict", target, "--url", "http://127.0.0.1:9"],
    ):
        done, seconds = limited([sys.executable, "-m", "coachworks.cli.main", *arguments], tmp_path)
        slowest = max(slowest, seconds)
        assert done.returncode in {0, 1, 2}, (arguments, done.stderr)
        assert done.returncode != 0 or arguments == ["check"], arguments
        assert "Traceback" not in done.stderr, (arguments, done.stderr)
    assert slowest < 60
    measured(f"`{target}` as fleet file, table, photo", "refused within seconds, 2 GiB", f"{slowest:.0f} s at most")


@pytest.mark.parametrize("case", ["repeated", "missing"])
def test_two_million_rows_are_read_within_a_minute_and_two_gib(case: str, measured: Measured) -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/rows.py", "--case", case],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    figures = json.loads(done.stdout)
    assert figures["photos"] == 100_000
    assert figures["cpu_s"] < 60  # CPU time: the machine may be under load
    assert figures["peak_mib"] < 2048
    measured(
        f"2,000,000 rows of CSV over 100,000 photos, {case}",
        "at most 60 s and 2 GiB",
        f"{figures['cpu_s']:.0f} s of CPU, {figures['peak_mib'] / 1024:.1f} GiB",
    )
