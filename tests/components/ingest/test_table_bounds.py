"""Tables beyond the bounds: refused with the rule, the value and the way out."""

import io
import os
import time

import pytest
from crafted_tables import bombs, mutated, repeated_rows

from coachworks.errors import DataError
from components.ingest import parquet_decoder
from components.ingest.places import read_table_file
from components.ingest.source_table import read_source_table
from components.ingest.table_bounds import TableBounds
from components.ingest.table_file import parse_table

SMALL = TableBounds(bytes=10_000, rows=20, columns=5, cells=60, line_chars=1000, memory_bytes=2 * 1024**3, cpu_s=10)
WAY_OUT = r" Split it over several sources, or write only the rows and columns that are needed\."


def rows_of(name: str, data: bytes, bounds: TableBounds = SMALL) -> list[object]:
    return list(parse_table(name, data, bounds=bounds).lines())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"filename\n" + b"a\n" * 5000, "must have at most 0 MiB; it has more"),
        (b"filename\n" + b"a\n" * 30, "must have at most 20 lines; it has more"),
        (b"filename\n" + b"\n" * 30, "must have at most 20 lines; it has more"),
        (b"filename,a,b,c,d\n" + b",,,,x\n" * 13, "must have at most 60 cells; it has more"),
        (b"filename,a,b,c,d,e,f\n", "must have at most 5 columns; it has 7"),
        (b"filename\na\n" + b"x" * 2000, "must have at most 1,000 characters in a line; it has more in line 3"),
        (bytes(2000), "must have at most 1,000 characters in a line; it has more in line 1"),
    ],
)  # fmt: skip
def test_a_csv_beyond_the_bounds_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"^table t.csv {message}.{WAY_OUT}$"):
        rows_of("t.csv", text)


def test_a_csv_at_the_bounds_is_read() -> None:
    assert len(rows_of("t.csv", b"filename\n" + b"a\n" * 20)) == 20
    assert len(rows_of("t.csv", b"filename,a,b,c,d\n" + b",,,,x\n" * 12)) == 12


def test_a_cell_without_end_is_refused_with_the_line() -> None:
    text = b'filename,animal\na.jpg,"' + b"cat\n" * 50_000
    with pytest.raises(
        DataError, match=r"line \d+: it cannot be read as CSV: field larger.* Quotes must be closed, and"
    ):
        rows_of("t.csv", text, TableBounds())


def decoded(data: bytes, **changed: int) -> str | None:
    bounds = {"first_cells": 10**9, "rows": 1000, "columns": 5, "cells": 5000, "size": 10**6} | changed
    return parquet_decoder.decode(data, io.BytesIO(), **bounds)


def test_a_parquet_beyond_the_bounds_is_refused() -> None:
    equal = repeated_rows(100, 1000)
    assert len(equal) < 5000  # of 100,000 characters
    assert decoded(equal) is None
    assert decoded(equal, rows=99) == "must have at most 99 rows and 5,000 cells; it claims 100 rows of 1"
    assert decoded(equal, cells=99) == "must have at most 1,000 rows and 99 cells; it claims 100 rows of 1"
    assert decoded(equal, columns=0) == "must have at most 0 columns; it has 1"
    assert decoded(equal, size=9999) == "must have at most 9,999 bytes when decoded, and 1,000 rows; it has more"
    assert str(decoded(b"PAR1")).startswith("cannot be read as Parquet: ")


def test_the_decoder_s_refusal_reaches_the_reader_with_the_way_out() -> None:
    with pytest.raises(DataError, match=r"^table t.parquet must have at most 20 rows and 60 cells; it claims 30 rows"):
        rows_of("t.parquet", repeated_rows(30, 10))


def test_a_parquet_that_ends_its_decoder_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    program = tmp_path / "dies.py"
    program.write_text("import os, sys\nsys.stdin.buffer.read()\nos.kill(os.getpid(), 11)\n")
    monkeypatch.setattr(parquet_decoder, "__file__", str(program))
    with pytest.raises(DataError, match=r"with 2048 MiB of memory and 10 s of CPU; its decoder ended with status -11:"):
        rows_of("t.parquet", b"PAR1")


@pytest.mark.parametrize("name", sorted(name for name, (file, _) in bombs(0.0001).items() if file.endswith(".csv")))
def test_small_bombs_are_read_or_refused(name: str) -> None:
    file, data = bombs(0.0001)[name]
    try:
        read_source_table(file, data, ["animal"])
    except DataError as err:
        assert str(err).startswith("table t.csv")  # noqa: PT017


def test_mutated_tables_are_read_or_refused() -> None:
    for name, data in mutated(300):
        if name == "t.parquet":
            decoded(data)
            continue
        try:
            read_source_table(name, data, ["animal"])
        except DataError as err:
            assert str(err).startswith("table t.csv")  # noqa: PT017


def test_only_the_bytes_within_the_bounds_are_read(tmp_path) -> None:
    with (tmp_path / "t.csv").open("wb") as file:
        file.truncate(10**12)
    assert len(read_table_file(str(tmp_path / "t.csv"), 1000)) == 1000


@pytest.mark.parametrize(("name", "reason"), [("fifo.csv", "a FIFO"), ("/dev/zero", "a device")])
def test_a_table_that_is_no_regular_file_is_refused_at_once(name: str, reason: str, taken_in, draw, tmp_path) -> None:
    draw("photos/a.jpg")
    os.mkfifo(tmp_path / "fifo.csv")
    begun = time.monotonic()
    with pytest.raises(DataError, match=rf"it must be a regular file; it is {reason}\. Name a CSV or Parquet file in"):
        taken_in({"photos": "photos", "table": name})
    assert time.monotonic() - begun < 5
