"""Places of sources and tables, in a folder or in a bucket: one way to walk, read and compare them."""

from collections.abc import Iterator
from pathlib import Path

from coachworks.errors import DataError, NotFoundError
from coachworks.regular_files import read_regular
from components.ingest.bucket_walk import read_object, walk_bucket
from components.ingest.folder_walk import walk_folder
from components.ingest.listing import SourceFile
from components.ingest.report import Rejection
from components.ingest.table_bounds import BOUNDS


def in_bucket(address: str) -> bool:
    """Return whether `address` is in a bucket: `s3://bucket/prefix`."""
    return address.startswith("s3://")


def walk(photos: str, source: str, *, store: str, follow_links: bool = False) -> Iterator[SourceFile | Rejection]:
    """Yield the files of a source, in a fixed order, the same for a folder and a bucket of equal names.

    Args:
        photos: Its folder or address.
        source: Its name, for rejections.
        store: Address of the store, which is left out if it lies among the photos.
        follow_links: Whether to follow symbolic links out of the folder.
    """
    if in_bucket(photos):
        return walk_bucket(photos, source, leave_out=store if in_bucket(store) else None)
    leave_out = None if in_bucket(store) else Path(store)
    return walk_folder(photos, source, leave_out=leave_out, follow_links=follow_links)


def read_table_file(address: str, most: int = BOUNDS.bytes + 1) -> bytes:
    """Return the first bytes of a table, at most `most`: `parse_table` refuses more.

    Raises:
        NotFoundError: there is no such table.
        DataError: it cannot be read.
    """
    try:
        return read_object(address, most) if in_bucket(address) else read_regular(address, most)
    except FileNotFoundError as err:
        raise NotFoundError(
            f"table {address!r} does not exist. Correct `table` of this source in the fleet file."
        ) from err
    except OSError as err:
        reason = err.strerror or err
        raise DataError(f"table {address!r} cannot be read: {reason}. Name a CSV or Parquet file in `table`.") from err


def as_path(address: str) -> str:
    """Return a folder or address as an absolute POSIX path, for names relative to it.

    >>> as_path("s3://photos/cars/1.jpg")
    '/s3:/photos/cars/1.jpg'
    """
    return "/s3:/" + address.removeprefix("s3://") if in_bucket(address) else Path(address).as_posix()


def true_path(address: str) -> str:
    """Return the path without symbolic links, or the address, as `SourceFile.true_place` does."""
    return address if in_bucket(address) else str(Path(address).resolve())
