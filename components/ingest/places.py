"""Places of sources and tables, in a folder or in a bucket: one way to walk, read and compare them."""

from collections.abc import Iterator
from pathlib import Path

from coachworks.errors import DataError, NotFoundError
from components.ingest.bucket_walk import read_object, walk_bucket
from components.ingest.folder_walk import walk_folder
from components.ingest.listing import SourceFile
from components.ingest.report import Rejection


def in_bucket(address: str) -> bool:
    """Return whether `address` is in a bucket: `s3://bucket/prefix`."""
    return address.startswith("s3://")


def walk(photos: str, source: str, *, store: str) -> Iterator[SourceFile | Rejection]:
    """Yield the files of a source, in a fixed order, the same for a folder and a bucket of equal names.

    Args:
        photos: Its folder or address.
        source: Its name, for rejections.
        store: Address of the store, which is left out if it lies among the photos.
    """
    if in_bucket(photos):
        return walk_bucket(photos, source, leave_out=store if in_bucket(store) else None)
    return walk_folder(photos, source, leave_out=None if in_bucket(store) else Path(store))


def read_table_file(address: str) -> bytes:
    """Return the bytes of a table.

    Raises:
        NotFoundError: there is no such table.
        DataError: it cannot be read.
    """
    try:
        return read_object(address) if in_bucket(address) else Path(address).read_bytes()
    except FileNotFoundError as err:
        raise NotFoundError(
            f"table {address!r} does not exist. Correct `table` of this source in the fleet file."
        ) from err
    except OSError as err:
        raise DataError(f"table {address!r} cannot be read: {err.strerror or err}") from err


def as_path(address: str) -> str:
    """Return a folder or address as an absolute POSIX path, for names relative to it.

    >>> as_path("s3://photos/cars/1.jpg")
    '/s3:/photos/cars/1.jpg'
    """
    return "/s3:/" + address.removeprefix("s3://") if in_bucket(address) else Path(address).as_posix()


def true_path(address: str) -> str:
    """Return the path without symbolic links, or the address, as `SourceFile.true_place` does."""
    return address if in_bucket(address) else str(Path(address).resolve())
