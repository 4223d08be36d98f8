"""Program that decodes Parquet from its standard input into an Arrow stream on its standard output, within bounds.

A Parquet file of a few kilobytes can claim billions of rows or make the decoder crash: this process may be ended by the
system, unlike the one that reads the table. It is run by path and so imports nothing of this package.
"""

import resource
import sys
from contextlib import suppress
from typing import BinaryIO

REFUSED = 3  # exit status: standard error says in a sentence why the table is refused
_BATCH_ROWS = 4096


def decode(
    data: bytes, target: BinaryIO, *, first_cells: int, rows: int, columns: int, cells: int, size: int
) -> str | None:
    """Write the batches of a Parquet table to `target`; return the reason if it is refused.

    Args:
        data: The Parquet file.
        target: Receives the Arrow stream.
        first_cells: Cells after which to stop, with one row more if there is one.
        rows: Most rows of a table.
        columns: Most columns.
        cells: Most cells.
        size: Most bytes of the decoded table.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        width, claimed = len(file.schema_arrow), file.metadata.num_rows
        if width > columns:
            return f"must have at most {columns:,} columns; it has {width:,}"
        if claimed > rows or claimed * width > cells:
            return f"must have at most {rows:,} rows and {cells:,} cells; it claims {claimed:,} rows of {width:,}"
        first_rows, seen, size_so_far = max(1, first_cells // max(1, width)), 0, 0
        with pa.ipc.new_stream(target, file.schema_arrow.remove_metadata()) as stream:
            for batch in file.iter_batches(batch_size=max(1, min(_BATCH_ROWS, first_rows)), use_threads=False):
                batch.validate(full=True)
                seen, size_so_far = seen + batch.num_rows, size_so_far + batch.nbytes
                if seen > rows or size_so_far > size:
                    return f"must have at most {size:,} bytes when decoded, and {rows:,} rows; it has more"
                stream.write_batch(batch.replace_schema_metadata(None))
                if seen > first_rows:
                    break
    except MemoryError:
        return "takes more memory than a table may"
    except Exception as err:
        return f"cannot be read as Parquet: {err}"
    return None


def main(arguments: list[str]) -> int:
    """Decode standard input; the arguments are memory in bytes, CPU time in seconds, and the bounds of `decode`."""
    memory, seconds, first_cells, rows, columns, cells, size = map(int, arguments)
    with suppress(ValueError, OSError):  # a system may not have them, or set lower ones
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    data = sys.stdin.buffer.read()
    bounds = {"rows": rows, "columns": columns, "cells": cells, "size": size}
    reason = decode(data, sys.stdout.buffer, first_cells=first_cells, **bounds)
    sys.stdout.buffer.flush()
    if reason is not None:
        sys.stderr.write(reason[:2000])
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
