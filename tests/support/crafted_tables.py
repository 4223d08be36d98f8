"""Tables that are meant to take memory or time without end, and mutations of good ones."""

import io
import random
from collections.abc import Iterator
from functools import cache
from typing import Any


def bombs(scale: float = 1.0) -> dict[str, tuple[str, bytes]]:
    """Return (file name, content) of tables without end by name; `scale` 1 is their full size."""
    million = int(1_000_000 * scale)
    return {
        "a line without end": ("t.csv", b"filename,animal\n" + b"x" * (100 * million)),
        "NUL bytes": ("t.csv", bytes(100 * million)),
        "a quote that is never closed": ("t.csv", b'filename,animal\na.jpg,"' + b"cat\n" * (20 * million)),
        "columns without end": ("t.csv", b"filename," + b",".join(b"c%d" % i for i in range(million))),
        "empty lines": ("t.csv", b"filename,animal\n" + b"\n" * (100 * million)),
        "commas": ("t.csv", b"filename," + b"," * 18_000 + b"\n" + (b"," * 18_000 + b"\n") * (million // 100)),
        "UTF-16 cut in the middle": ("t.csv", "filename,animal\na.jpg,cat\n".encode("utf-16")[:-1]),
        "mixed encodings": ("t.csv", b"filename,animal\na.jpg,cat\n" * 1000 + "é.jpg,cät\n".encode("latin-1")),
        "Parquet of equal rows": ("t.parquet", repeated_rows(30 * million, 10)),
        "Parquet of equal long cells": ("t.parquet", repeated_rows(4 * million, int(100_000 * scale) + 10)),
        "Parquet of many columns": ("t.parquet", many_columns(int(30_000 * scale) + 10)),
        "Parquet nested deeply": ("t.parquet", nested(int(400 * scale) + 10)),
    }


@cache
def repeated_rows(rows: int, length: int) -> bytes:
    """Return a Parquet of `rows` equal cells of `length` characters: a dictionary of one value, run by run."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("filename", pa.dictionary(pa.int32(), pa.string()))])
    target, part = io.BytesIO(), 1_000_000
    with pq.ParquetWriter(target, schema.remove_metadata(), compression="zstd", store_schema=False) as writer:
        for start in range(0, rows, part):
            count = min(part, rows - start)
            zeros = pa.array(memoryview(bytes(4 * count)).cast("i"), pa.int32())
            column = pa.DictionaryArray.from_arrays(zeros, pa.array(["x" * length]))
            writer.write_table(pa.table([column], schema=schema))
    return target.getvalue()


@cache
def many_columns(columns: int) -> bytes:
    """Return a Parquet of one row of so many columns."""
    return _parquet({"filename": ["a.jpg"], **{f"c{index}": [1] for index in range(columns)}})


@cache
def nested(depth: int) -> bytes:
    """Return a Parquet with a column of lists in lists."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return _parquet({"filename": ["a.jpg"], "deep": [value]})


def _parquet(columns: dict[str, list[Any]], **options: Any) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = io.BytesIO()
    pq.write_table(pa.table(columns), target, **options)
    return target.getvalue()


def mutated(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield (file name, content) of good tables with some bytes changed, in the head, the footer or anywhere."""
    chance = random.Random(seed)  # noqa: S311
    columns: dict[str, list[Any]] = {
        "filename": [f"{index}.jpg" for index in range(50)],
        "animal": ["cat", "dog"] * 25,
        "km": list(range(50)),
        "tags": [["a", "b"]] * 50,
    }
    csv = ("filename,animal,km\n" + "".join(f'"{i}.jpg",cat,{i}\n' for i in range(50))).encode()
    good = [
        ("t.parquet", _parquet(columns)),
        ("t.parquet", _parquet(columns, compression="none", use_dictionary=False)),
        ("t.parquet", _parquet(columns, compression="gzip", data_page_version="2.0", row_group_size=10)),
        ("t.csv", csv),
        ("t.csv", csv.decode().encode("utf-16")),
    ]
    for _ in range(count):
        name, content = chance.choice(good)
        data = bytearray(content)
        for _ in range(chance.choice([1, 1, 2, 4, 8])):
            at = chance.randrange(len(data)) if chance.random() < 0.7 else max(0, len(data) - chance.randrange(1, 900))
            match chance.randrange(4):
                case 0:
                    data[at] ^= 1 << chance.randrange(8)
                case 1:
                    data[at] = chance.choice([0, 255, 34, 10, chance.randrange(256)])
                case 2:
                    del data[at : at + chance.randrange(1, 9)]
                case _:
                    data[at:at] = chance.randbytes(chance.randrange(1, 9))
            data = data or bytearray(b"x")
        yield name, bytes(data)
