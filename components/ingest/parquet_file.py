"""Batches of a Parquet table, decoded by another process within bounds of rows, memory and time."""

import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from coachworks.errors import DataError
from coachworks.settings import child_environment
from components.ingest import parquet_decoder
from components.ingest.table_bounds import TableBounds

if TYPE_CHECKING:
    import pyarrow as pa


def read_parquet(
    name: str, data: bytes, bounds: TableBounds, first_cells: int | None = None
) -> tuple["pa.Schema", list["pa.RecordBatch"], bool]:
    """Return the schema of a Parquet table, its batches, and whether it is cut.

    Args:
        name: Its file name, for messages.
        data: The file.
        bounds: Bounds of the table.
        first_cells: Cells after which to stop; None: all.

    Raises:
        DataError: it cannot be read, or is beyond the bounds.
    """
    import pyarrow as pa

    memory = bounds.memory_bytes + 2 * len(data)
    first = bounds.cells if first_cells is None else first_cells
    numbers = (memory, bounds.cpu_s, first, bounds.rows, bounds.columns, bounds.cells, bounds.bytes)
    process = subprocess.Popen(  # noqa: S603 — our own interpreter and program
        [sys.executable, "-P", str(parquet_decoder.__file__), *map(str, numbers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**child_environment(), "ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1"},
    )
    schema, batches, broken = None, [], None
    with process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None  # noqa: S101, PT018
        feeder = threading.Thread(target=_feed, args=(process.stdin, data), daemon=True)
        feeder.start()
        try:
            with pa.ipc.open_stream(process.stdout) as stream:
                schema = stream.schema
                batches.extend(stream)
        except (pa.ArrowException, OSError) as err:
            broken = err
        reason = process.stderr.read().decode("utf-8", "replace")
        feeder.join()
    if process.returncode == parquet_decoder.REFUSED:
        raise DataError(f"table {name} {reason.rstrip('.')}. {bounds.WAY_OUT}")
    if process.returncode != 0 or broken is not None or schema is None:
        raise DataError(
            f"table {name} must be read with {bounds.memory_bytes // 1024**2} MiB of memory and {bounds.cpu_s} s of "
            f"CPU; its decoder ended with status {process.returncode}: the file is damaged or too large. "
            + bounds.WAY_OUT
        )
    rows = sum(batch.num_rows for batch in batches)
    return schema, batches, first_cells is not None and rows > max(1, first_cells // max(1, len(schema)))


def _feed(pipe: BinaryIO, data: bytes) -> None:
    with suppress(BrokenPipeError), pipe:  # it has refused the file
        pipe.write(data)
